/** Settings that qualify another one: without it the log says at the start and at a reload that they do nothing. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { startCommand, temporaryFolder } from "../support/command.ts";

test("a setting that does nothing by itself is told at the start, and at the reload that brings it", async (context) => {
  const folder = temporaryFolder(context);
  const configure = (settings: object): void =>
    writeFileSync(join(folder, "tsgun.config.json"), JSON.stringify({ bind: "127.0.0.1:0", ...settings }));
  writeFileSync(join(folder, "app.mjs"), "export const handler = (_, respond) => respond(200, null, 'ok');");
  configure({
    ...{ neverShed: ["/healthz"], maxRequestsJitter: 5, maxLifetime: "1h", maxLifetimeJitter: "5m" },
    ...{ proxyProtocol: "off", proxyAllowFrom: ["10.0.0.0/8"], queueTimeout: "2s" },
  });
  const command = startCommand(context, ["app.mjs"], { cwd: folder });
  await command.ready();
  const told = (): string[] => command.lines(/no effect/).map((line) => line.replace(/^.*\] /, ""));
  const first = [
    "never-shed has no effect without max-in-flight: set both, or neither",
    "max-requests-jitter has no effect without max-requests: set both, or neither",
    "proxy-allow-from has no effect without proxy-protocol: set both, or neither",
  ];
  assert.deepEqual(told(), first, "max-lifetime is set, and queue-timeout has its default");

  configure({ neverShed: ["/healthz"], maxQueue: 3, sslVersion: "TLSv1.3", http2MaxFrameSize: 20_000 });
  command.kill("SIGHUP");
  await command.ready(2);
  assert.deepEqual(told(), [
    ...first,
    "max-queue has no effect without max-in-flight: set both, or neither",
    "ssl-version has no effect without certfile: set both, or neither",
    "http2-max-frame-size has no effect without h2 in http-protocols: set both, or neither",
  ]);

  const http2 = { httpProtocols: ["h1", "h2"], http2MaxFrameSize: 20_000 };
  configure({ neverShed: ["/healthz"], maxQueue: 3, maxInFlight: 3, ...http2 });
  command.kill("SIGHUP");
  await command.ready(3);
  assert.equal(told().length, 6);
});
