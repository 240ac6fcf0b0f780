/** Files that others may change, though the server trusts them: its configuration, certificates, keys and tokens. */
import { type SettingName, settingLabel } from "../../../config/settings.ts";
import type { Facts, TrustedFile, WritableStep } from "../facts.ts";
import type { Match, Rule } from "../finding.ts";

const OTHERS_WRITE = 0o002;
const OTHERS_ENTER = 0o001;
const GROUP_WRITES = 0o020;
/** In such a folder only its owner and a file's owner may replace the file (/tmp). */
const STICKY = 0o1000;

interface Writer {
  readonly who: string;
  readonly mend: string;
}

function everybody(step: WritableStep, file: TrustedFile): Writer | undefined {
  const { mode, path } = step;
  const isFolder = step !== file;
  // Without the right to enter a folder, that to write it replaces nothing.
  const needed = isFolder ? OTHERS_WRITE | OTHERS_ENTER : OTHERS_WRITE;
  if ((mode & needed) !== needed || (isFolder && (mode & STICKY) !== 0)) return undefined;
  if (!isReachable(step, file)) return undefined;
  return { who: `every user (mode ${octal(mode)})`, mend: `chmod o-w ${path}` };
}

/** Whether every user may enter the folders on the way to it. */
function isReachable({ path }: WritableStep, { folders }: TrustedFile): boolean {
  return folders
    .filter((folder) => path.startsWith(folder.path === "/" ? "/" : `${folder.path}/`))
    .every(({ mode }) => (mode & OTHERS_ENTER) !== 0);
}

function someone(step: WritableStep, file: TrustedFile, owners: readonly number[]): Writer | undefined {
  const { mode, path, uid, gid, isShared } = step;
  const isFolder = step !== file;
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
  writerOf: (step: WritableStep, file: TrustedFile, owners: readonly number[]) => Writer | undefined,
): Match[] {
  const { owners, files } = machine.trusted;
  const found = new Map<
    string,
    { readonly isFolder: boolean; readonly writer: Writer; readonly of: TrustedFile[] }
  >();
  for (const file of files) {
    for (const step of [file, ...file.folders]) {
      const writer = writerOf(step, file, owners);
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

/** The start warns of keys of `keyfile` itself. */
const SECRETS: readonly SettingName[] = ["adminTokenFile", "keyfilePasswordFile", "adminKeyfile"];
const OTHERS_READ = 0o004;

function readable({ machine }: Facts): Match[] {
  return machine.trusted.files
    .filter(
      (file) => SECRETS.includes(file.setting) && (file.mode & OTHERS_READ) !== 0 && isReachable(file, file),
    )
    .map(({ path, mode, setting }) => ({
      where: path,
      what: `every user may read it (mode ${octal(mode)}), and it is ${settingLabel(setting)}`,
      mend: `chmod o= ${path}`,
    }));
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
  {
    id: "file-secret-readable",
    level: "warning",
    title: "every user may read the file of `admin-token-file`, `keyfile-password-file` or `admin-keyfile`",
    breaks: "Every program on the machine can command the dashboard, or decrypt or use the key.",
    mend: "chmod o= the file",
    check: readable,
  },
];
