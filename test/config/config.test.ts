import assert from "node:assert/strict";
import { test } from "node:test";
import { environmentLayer, type Layer, makeConfig } from "../../src/config/config.ts";
import { nearestName } from "../../src/config/nearest-name.ts";
import {
  environmentNames,
  SETTING_NAMES,
  type Setting,
  settingLabel,
  settings,
} from "../../src/config/settings.ts";
import { ExitCode, FatalError } from "../../src/errors.ts";

function layer(values: Layer["values"], origin = "the test"): Layer {
  return { values, origin: () => origin };
}

function messageOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    assert.ok(error instanceof FatalError);
    assert.equal(error.exitCode, ExitCode.usage);
    assert.ok(!error.message.includes("\n"));
    return error.message;
  }
  return assert.fail("nothing was thrown");
}

test("without layers every setting has its default, which its kind accepts", () => {
  const config = makeConfig([]);
  for (const name of SETTING_NAMES) {
    const { kind, default: fallback } = settings[name] as Setting<unknown>;
    assert.deepEqual(config[name], fallback);
    if (fallback !== undefined) assert.deepEqual(kind.parse(kind.format(fallback)), fallback, name);
  }
});

test("a later layer wins", () => {
  const config = makeConfig([layer({ workers: 2, keepAlive: "10" }), layer({ workers: "3" })]);
  assert.equal(config.workers, 3);
  assert.equal(config.keepAlive, 10_000);
});

test("an invalid value is reported with its setting and origin", () => {
  const message = messageOf(() => makeConfig([layer({ limitRequestLine: "long" }, "--limit-request-line")]));
  assert.equal(message, 'limit-request-line: "long" is not a whole number (from --limit-request-line)');
});

test("an unknown setting suggests the nearest one", () => {
  const message = messageOf(() => makeConfig([layer({ wrokers: 2 }, "tsgun.config.ts")]));
  assert.equal(message, "there is no setting wrokers (from tsgun.config.ts); did you mean workers?");
});

test("variables set their settings; TSGUN_ names take precedence", () => {
  const config = makeConfig([
    environmentLayer({ WEB_CONCURRENCY: "2", TSGUN_KEEP_ALIVE: "5s", TSGUN_BIND: "" }),
  ]);
  assert.equal(config.workers, 2);
  assert.equal(config.keepAlive, 5000);
  assert.deepEqual(config.bind, settings.bind.default);
  assert.equal(makeConfig([environmentLayer({ WEB_CONCURRENCY: "2", TSGUN_WORKERS: "3" })]).workers, 3);
});

test("an invalid value in the environment is reported with its variable", () => {
  const message = messageOf(() => makeConfig([environmentLayer({ WEB_CONCURRENCY: "many" })]));
  assert.equal(
    message,
    'workers: "many" is neither a whole number nor auto (from WEB_CONCURRENCY in the environment)',
  );
});

test("an unrelated variable with the prefix is ignored", () => {
  const others = {
    TSGUN_RELEASE: "7",
    TSGUN_HOME: "/srv",
    TSGUN_VERSION: "2",
    TSGUN_IMAGE_TAG: "a",
    TSGUN_WROKERS: "",
  };
  const own = { TSGUN_CMD_ARGS: "-w 2", TSGUN_REPORT_FD: "5", TSGUN_HANDOVER: "{}" };
  assert.deepEqual(environmentLayer({ ...others, ...own }).values, {});
});

test("no two settings share a flag or a variable, and each has a description", () => {
  const taken = new Set<string>();
  for (const name of SETTING_NAMES) {
    const { flags = [], doc } = settings[name] as Setting<unknown>;
    for (const way of [`--${settingLabel(name)}`, ...flags, ...environmentNames(name)]) {
      assert.ok(!taken.has(way), `${way} is taken twice`);
      taken.add(way);
    }
    assert.match(doc, /^[A-Z].*\.$/, name);
  }
});

test("the nearest name is close, or there is none", () => {
  assert.equal(nearestName("wokers", SETTING_NAMES), "workers");
  assert.equal(nearestName("bnid", SETTING_NAMES), "bind");
  assert.equal(nearestName("KEEPALIVE", SETTING_NAMES), "keepAlive");
  assert.equal(nearestName("threads", ["workers", "bind"]), undefined);
});
