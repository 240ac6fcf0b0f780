/**
 * Whether in-thread hooks can take the place of those in a thread, if they leave the source of CommonJS to Node. Earlier
 * ones got the conditions of package.json's "exports" wrong (nodejs/node#59011).
 */
export function hasSyncHooks(): boolean {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  return major > 24 || (major === 24 && minor >= 5) || (major === 22 && minor >= 19);
}

/** From Node 26.2 on, in-thread module hooks leave `require` in an imported CommonJS module unchanged. */
export function hasCompleteSyncHooks(): boolean {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  return major > 26 || (major === 26 && minor >= 2);
}
