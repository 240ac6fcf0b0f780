/** The same on every host; ADDRESS is the host's own address in the internal network. */
import { defineConfig } from "tsgun";

export default defineConfig(() => {
  const address = process.env.ADDRESS;
  if (address === undefined) throw new Error("ADDRESS is not set: set it to the address this host serves on");
  return {
    app: "app.ts:handler",
    // A link: each reload follows it to the current release.
    chdir: "/srv/app/current",
    workers: 2, // On a server: "auto"
    // The internal network only.
    bind: `${address}:8000`,
    adminBind: `${address}:9000`,
    controlSocket: "/run/app/control.sock",
    // Trust only the proxy to name the client.
    forwardedAllowIps: ["10.77.0.10"],
    // Shorter than the proxy's timeout (7 s): tsgun gives up first, and logs it.
    requestTimeout: "5s",
    // On TERM the server keeps serving for this long while /health/ready fails: longer than HAProxy needs to notice.
    drainDelay: "5s",
  };
});
