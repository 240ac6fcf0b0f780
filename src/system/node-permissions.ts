/** The denials of Node's permission model (`--permission`) to this process; its children have the same options. */

/** Whether Node denies a scope, such as `worker`; false without the permission model, and for scopes that it does not know. */
export function isDeniedByNode(scope: "worker" | "inspector"): boolean {
  // Node's types name it as always there; it is only under the permission model.
  const permission = process.permission as NodeJS.ProcessPermission | undefined;
  return permission?.has(scope) === false;
}

/** The options of Node that are missing for stacks, profiles and heaps of workers; empty if none is. */
export function missingForExaminations(): string[] {
  return (["worker", "inspector"] as const).filter(isDeniedByNode).map((scope) => `--allow-${scope}`);
}
