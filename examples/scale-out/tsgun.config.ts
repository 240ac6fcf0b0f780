/** The same on every host; ADDRESS is the host's own in the inner network. */
import { defineConfig } from "tsgun";

export default defineConfig(() => {
  const address = process.env.ADDRESS;
  if (address === undefined)
    throw new Error("ADDRESS is not set: say which address of this host is to serve");
  return {
    app: "app.ts:handler",
    // A link: a reload follows it to the release that it leads to by then.
    chdir: "/srv/app/current",
    workers: 2, // On a server: "auto"
    // The inner network, and no other address of this host.
    bind: `${address}:8000`,
    adminBind: `${address}:9000`,
    controlSocket: "/run/app/control.sock",
    // Only the proxy says who asks.
    forwardedAllowIps: ["10.77.0.10"],
    // The proxy waits for an answer for longer than this (7 s): it is tsgun that gives up, and says so.
    requestTimeout: "5s",
    // Told to stop, the server serves on for so long while /health/ready says no: longer than HAProxy needs to see it.
    drainDelay: "5s",
  };
});
