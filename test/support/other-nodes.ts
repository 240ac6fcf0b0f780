/** Other versions of Node: TSGUN_TEST_NODES names their binaries, separated by colons. */
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

export const otherNodes: readonly string[] = (process.env.TSGUN_TEST_NODES ?? "")
  .split(":")
  .filter((path) => path !== "");

/** Adds a test that runs the whole file (`import.meta.url`) under each other version. */
export function testUnderOtherNodes(url: string): void {
  const skip = otherNodes.length === 0 && "set TSGUN_TEST_NODES";
  test("under other versions of Node", { skip }, async () => {
    const args = ["--import", "@oxc-node/core/register", "--test-reporter", "spec", fileURLToPath(url)];
    const env = { ...process.env, TSGUN_TEST_NODES: "", NODE_TEST_CONTEXT: "" };
    await Promise.all(otherNodes.map((node) => promisify(execFile)(node, args, { env, timeout: 60_000 })));
  });
}
