import assert from "node:assert/strict";
import { test } from "node:test";
import { localMessage, networkMessage, type SyslogSender, syslogTag } from "../../src/log/syslog-format.ts";

const SENDER: SyslogSender = { facility: "user", tag: "tsgun.error", pid: 4711, host: "web1" };
const TIME = new Date(2026, 10, 2, 3, 4, 5, 678);

test("the system's socket gets messages as syslog(3) writes them", () => {
  const message = localMessage("Starting – grün", "info", SENDER, TIME).toString();
  assert.equal(message, "<14>Nov  2 03:04:05 tsgun.error[4711]: Starting – grün");
});

test("a network server gets RFC 5424 messages", () => {
  const message = networkMessage("Starting", "critical", { ...SENDER, facility: "local7" }, TIME).toString();
  assert.equal(message, `<186>1 ${TIME.toISOString()} web1 tsgun.error 4711 - - Starting`);
  const nameless = networkMessage("x", "info", { ...SENDER, host: "" }, TIME).toString();
  assert.match(nameless, /Z - tsgun\.error 4711 - - x$/);
});

test("a level maps to a severity", () => {
  const levels = ["debug", "info", "warning", "error", "critical"] as const;
  const priorities = levels.map((level) => localMessage("", level, { ...SENDER, facility: "kern" }, TIME));
  assert.deepEqual(
    priorities.map((message) => /^<(\d)>/.exec(message.toString())?.[1]),
    ["7", "6", "4", "3", "2"],
  );
});

test("a long message is cut where servers cut it, between two characters", () => {
  for (const filling of ["x", "xgrün", "€€"]) {
    const message = networkMessage(filling.repeat(8096), "info", SENDER, TIME);
    assert.ok(message.length <= 8096 && message.length > 8096 - 4);
    assert.ok(!message.toString().includes("�"));
  }
});

test("the program's name suits every parser, and keeps its last part", () => {
  assert.equal(syslogTag("tsgun", "error"), "tsgun.error");
  assert.equal(syslogTag("tsgun", "my app: 2/3", "access"), "tsgun.my.app.2.3.access");
  const long = syslogTag("tsgun", "x".repeat(100), "error");
  assert.equal(long.length, 48);
  assert.match(long, /^tsgun\.x+\.error$/);
});
