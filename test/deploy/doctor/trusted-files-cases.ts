/** Files that the server trusts, and who else may write them. */
import type { TrustedFile, WritableStep } from "../../../src/deploy/doctor/facts.ts";
import type { Situation } from "../../support/doctor.ts";
import type { Case } from "./rule-case.ts";

const folder = (path: string, differences: Partial<WritableStep> = {}): WritableStep => ({
  ...{ path, mode: 0o755, uid: 0, gid: 0, isShared: false },
  ...differences,
});
const FOLDERS = [folder("/"), folder("/srv")];

const files = (...all: Partial<TrustedFile>[]): Situation => ({
  machine: {
    trusted: {
      owners: [0, 1000],
      files: all.map((file) => ({
        ...{ setting: "config", path: "/srv/tsgun.config.ts", mode: 0o644, uid: 1000, gid: 1000 },
        ...{ isShared: false, folders: FOLDERS },
        ...file,
      })),
    },
  },
});

export const TRUSTED_FILES_CASES: readonly Case[] = [
  {
    rule: "file-open-to-all",
    what: "a configuration that everybody may write; not within a closed folder",
    ill: files({ mode: 0o666 }),
    well: files({}, { mode: 0o666, folders: [folder("/"), folder("/srv", { mode: 0o750 })] }),
    where: "/srv/tsgun.config.ts",
    says: /^may be written by every user \(mode 666\), and the server trusts it \(config\)$/,
  },
  {
    rule: "file-open-to-all",
    what: "a folder in which everybody may replace files, once for all of them; not in one like /tmp",
    ill: files(
      { folders: [folder("/srv", { mode: 0o777 })] },
      { setting: "certfile", path: "/srv/a.pem", folders: [folder("/srv", { mode: 0o777 })] },
    ),
    well: files({ folders: [folder("/srv", { mode: 0o1777 })] }),
    where: "/srv",
    says: /^may be written by every user \(mode 777\), who can so replace \/srv\/tsgun\.config\.ts \(config\), \/srv\/a\.pem \(certfile\)$/,
  },
  {
    rule: "file-open-to-others",
    what: "a file of another user",
    ill: files({ setting: "adminTokenFile", path: "/srv/token", uid: 33 }),
    well: files({ setting: "adminTokenFile", path: "/srv/token", uid: 0 }),
    where: "/srv/token",
    says: /^may be written by its owner, user 33, and the server trusts it \(admin-token-file\)$/,
  },
  {
    rule: "file-open-to-others",
    what: "a folder of another user, even like /tmp",
    ill: files({ folders: [folder("/srv", { mode: 0o1755, uid: 33 })] }),
    well: files({ folders: [folder("/srv", { mode: 0o1755, uid: 1000 })] }),
    where: "/srv",
    says: /by its owner, user 33, who can so replace/,
  },
  {
    rule: "file-open-to-others",
    what: "a group that has other members",
    ill: files({ mode: 0o664, isShared: true }),
    well: files({ mode: 0o664, isShared: false }, { mode: 0o644, isShared: true }),
    where: "/srv/tsgun.config.ts",
    says: /^may be written by group 1000 \(mode 664\)/,
  },
  {
    rule: "file-secret-readable",
    what: "a token that every user may read; not a certificate, nor within a closed folder",
    ill: files({ setting: "adminTokenFile", path: "/srv/token" }),
    well: files(
      { setting: "adminTokenFile", path: "/srv/token", mode: 0o640 },
      { setting: "adminTokenFile", path: "/srv/token", folders: [folder("/srv", { mode: 0o750 })] },
      { setting: "adminCertfile", path: "/srv/admin.pem" },
    ),
    where: "/srv/token",
    says: /^every user may read it \(mode 644\), and it is admin-token-file$/,
  },
];
