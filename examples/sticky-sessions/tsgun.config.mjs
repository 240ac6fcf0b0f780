export default {
  app: "server.js",
  workers: 2,
  bind: "unix:run/app.sock",
  workerBind: "unix:run/app-{slot}.sock",
};
