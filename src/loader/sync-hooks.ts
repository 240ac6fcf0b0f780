/** From Node 26.2 on, in-thread module hooks leave `require` in an imported CommonJS module unchanged. */
export function hasCompleteSyncHooks(): boolean {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  return major > 26 || (major === 26 && minor >= 2);
}
