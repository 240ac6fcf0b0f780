/** Who may change what the server trusts: its configuration, certificates, keys and tokens. */
import { settingLabel } from "../../../config/settings.ts";
import type { Facts, TrustedFile, WritableStep } from "../facts.ts";
import type { Match, Rule } from "../finding.ts";

const OTHERS_WRITE = 0o002;
const GROUP_WRITES = 0o020;
/** In such a folder only its owner and a file's owner may replace the file (/tmp). */
const STICKY = 0o1000;

interface Writer {
  readonly who: string;
  readonly mend: string;
}

function everybody({ mode, path }: WritableStep, isFolder: boolean): Writer | undefined {
  if ((mode & OTHERS_WRITE) === 0 || (isFolder && (mode & STICKY) !== 0)) return undefined;
  return { who: `every user (mode ${octal(mode)})`, mend: `chmod o-w ${path}` };
}

function someone(
  { mode, path, uid, gid, isShared }: WritableStep,
  isFolder: boolean,
  owners: readonly number[],
): Writer | undefined {
  if (!owners.includes(uid)) return { who: `its owner, user ${uid}`, mend: `chown root ${path}` };
  if ((mode & GROUP_WRITES) === 0 || !isShared || (isFolder && (mode & STICKY) !== 0)) return undefined;
  return { who: `group ${gid} (mode ${octal(mode)})`, mend: `chmod g-w ${path}` };
}

function octal(mode: number): string {
  return mode.toString(8).padStart(3, "0");
}

/** A finding for each file and folder, with the settings that depend on it. */
function writable(
  { machine }: Facts,
  writerOf: (step: WritableStep, isFolder: boolean, owners: readonly number[]) => Writer | undefined,
): Match[] {
  const { owners = [], files = [] } = machine.trusted ?? {};
  const found = new Map<
    string,
    { readonly isFolder: boolean; readonly writer: Writer; readonly of: TrustedFile[] }
  >();
  for (const file of files) {
    for (const step of [file, ...file.folders]) {
      const writer = writerOf(step, step !== file, owners);
      if (writer === undefined) continue;
      const entry = found.get(step.path);
      if (entry !== undefined) entry.of.push(file);
      else found.set(step.path, { isFolder: step !== file, writer, of: [file] });
    }
  }
  return [...found].map(([where, { isFolder, writer, of }]) => {
    const held = [
      ...new Set(
        of.map(({ setting, path }) =>
          isFolder ? `${path} (${settingLabel(setting)})` : settingLabel(setting),
        ),
      ),
    ];
    const what = isFolder
      ? `may be written by ${writer.who}, who can so replace ${held.join(", ")}`
      : `may be written by ${writer.who}, and the server trusts it (${held.join(", ")})`;
    return { where, what, mend: writer.mend };
  });
}

const BREAKS =
  "Whoever may write the configuration runs code as the server's user; who may write a certificate, key or token passes for the server or commands it.";

export const TRUSTED_FILES: readonly Rule[] = [
  {
    id: "file-open-to-all",
    level: "error",
    title:
      "every user may write the configuration, a file of `env-file`, a certificate, key, password or token, or a folder on the way to it (without the sticky bit)",
    breaks: BREAKS,
    mend: "chmod o-w the file or folder",
    check: (facts) => writable(facts, everybody),
  },
  {
    id: "file-open-to-others",
    level: "warning",
    title:
      "such a file or folder belongs neither to root nor to the server's user (nor to the one who runs doctor), or a group with other members may write it",
    breaks: BREAKS,
    mend: "chmod g-w the file or folder, or chown it",
    check: (facts) => writable(facts, someone),
  },
];
