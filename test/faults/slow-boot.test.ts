/**
 * A reload whose app takes a minute to boot. It takes as long, so it is skipped by default:
 * TSGUN_LONG_TESTS=1 node test/run.mjs slow-boot
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { until } from "../support/command.ts";
import { FaultStage } from "../support/fault-stage.ts";

const SKIP =
  process.env.TSGUN_LONG_TESTS === "1" ? false : "takes over a minute; set TSGUN_LONG_TESTS=1 to run it";
const BOOT_SECONDS = 60;

test("no client notices a reload that takes a minute to boot", { skip: SKIP }, async (context) => {
  const args = ["--boot-timeout", "120s"];
  const stage = await FaultStage.start(context, { workers: 2, args });
  await stage.load();
  const before = await stage.settled();
  const source = readFileSync(join(stage.folder, stage.app), "utf8");
  stage.deploy(`await new Promise((resolve) => setTimeout(resolve, ${BOOT_SECONDS * 1000}));\n${source}`);
  stage.command.kill("SIGHUP");
  const boots = "Ready: generation 2 serves";
  const minutes = (BOOT_SECONDS * 2 + 60) * 1000;
  await until("the new generation serves", () => stage.command.stderr.includes(boots), minutes);
  await until("the old workers are gone", () => !stage.command.workers().some((pid) => before.includes(pid)));
  await stage.assertNothingLost(1000);
  await stage.end();
});
