/** Denials of Node's permission model (`--permission`), in words that say which option is missing. */

interface Denial {
  readonly code?: string;
  readonly message?: unknown;
  readonly permission?: string;
  readonly resource?: unknown;
  readonly cause?: unknown;
}

/** Node's options, by the names of its errors. Nothing for others: their options differ between versions. */
const OPTIONS: Readonly<Record<string, string>> = {
  ChildProcess: "--allow-child-process",
  WorkerThreads: "--allow-worker",
  FileSystemRead: "--allow-fs-read",
  FileSystemWrite: "--allow-fs-write",
  Net: "--allow-net",
};

/** An error's causes are few; a cycle of them must end. */
const MAX_CAUSES = 10;

/**
 * Returns the option that the error, or one of its causes, asks for, such as `--allow-fs-read=/dev/null`; undefined if it
 * is no denial of the permission model.
 */
export function optionDenied(error: unknown): string | undefined {
  if (process.permission === undefined) return undefined;
  const open = [error];
  for (let count = 0; count < MAX_CAUSES && open.length > 0; count++) {
    const { code, message, permission = "", resource, cause } = (open.shift() ?? {}) as Denial;
    // Loaders of addons copy the message of Node's error (ERR_DLOPEN_DISABLED), and not its code.
    if (String(message).includes("loading addons is disabled")) return "--allow-addons";
    const option = code === "ERR_ACCESS_DENIED" ? OPTIONS[permission] : undefined;
    if (option !== undefined)
      return option.includes("-fs-") && typeof resource === "string" ? `${option}=${resource}` : option;
    open.push(...(Array.isArray(cause) ? cause : [cause]));
  }
  return undefined;
}

/** Returns why it was denied, to follow a colon; undefined if the error is no denial of the permission model. */
export function denialOf(error: unknown): string | undefined {
  const option = optionDenied(error);
  return option && `Node's permission model denies it: start node with ${option}`;
}
