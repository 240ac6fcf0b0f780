/** Other versions of Node: TSGUN_TEST_NODES names their binaries, separated by colons. */
export const otherNodes: readonly string[] = (process.env.TSGUN_TEST_NODES ?? "")
  .split(":")
  .filter((path) => path !== "");
