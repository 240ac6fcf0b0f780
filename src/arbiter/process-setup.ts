/** Prepares this process at the start: the folder it works in, the workers' identity, the umask, the logs and the title. */
import { processTitle } from "../config/process-title.ts";
import type { Config } from "../config/settings.ts";
import type { Identity } from "../ipc/messages.ts";
import { workerIdentity } from "../system/identity.ts";
import { enterFolder } from "../system/working-folder.ts";
import { Logs } from "./logs/logs.ts";
import { currentInvocation, type Invocation } from "./upgrade/invocation.ts";

export interface ProcessSetup {
  readonly invocation: Invocation;
  /** The working folder, symbolic links not resolved. */
  readonly folder: string;
  /** The user and group that workers switch to. */
  readonly identity: Identity;
  readonly logs: Logs;
}

/** @throws FatalError (usage) when the working folder, the user or the group does not exist, or a log cannot be written. */
export function setUpProcess(config: Config): ProcessSetup {
  // Before the working folder changes: an upgrade starts the command where this one was started.
  const invocation = currentInvocation();
  const folder = enterFolder(config.chdir);
  const identity = workerIdentity(config);
  const logs = new Logs(folder, identity);
  if (config.umask !== undefined) process.umask(config.umask);
  logs.prepare(config);
  logs.adopt(config);
  process.title = processTitle("arbiter", config);
  return { invocation, folder, identity, logs };
}
