/**
 * The file of the scoreboard. It has no name, so it vanishes with the last process that holds it open, and nobody else can
 * open it. Offsets follow `layout.ts`; what lies beyond the file's end reads as zeros.
 */
import { randomBytes } from "node:crypto";
import { closeSync, constants, openSync, readFileSync, readSync, unlinkSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { optionDenied } from "../native/permission-model.ts";
import { MAX_REGIONS, REGION_BYTES } from "./layout.ts";

const FLAGS = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | (constants.O_NOFOLLOW ?? 0);

/** Where the file may lie, best first: /dev/shm is memory on Linux, and no disk is ever written. */
function boardFolders(): string[] {
  return process.platform === "linux" ? ["/dev/shm", tmpdir()] : [tmpdir()];
}

export class BoardFile {
  readonly descriptor: number;

  /** @param descriptor of the file, open for reading and writing: an inherited one, for example */
  constructor(descriptor: number) {
    this.descriptor = descriptor;
  }

  /**
   * Creates the file in the first folder that allows it.
   * @throws Error with the reason on one line
   */
  static create(folders: readonly string[] = boardFolders(), limits = "/proc/self/limits"): BoardFile {
    const tooSmall = fileSizeLimit(limits);
    if (tooSmall !== undefined) throw new Error(tooSmall);
    const reasons: string[] = [];
    for (const folder of folders) {
      try {
        return new BoardFile(createUnlinked(folder));
      } catch (error) {
        reasons.push(optionDenied(error) === undefined ? (error as Error).message : denied(folder));
      }
    }
    throw new Error(reasons.join("; "));
  }

  /**
   * Fills the first `length` bytes of `buffer` from `offset` of the file on.
   * @throws a system error
   */
  read(buffer: Buffer, offset: number, length = buffer.length): void {
    let done = 0;
    while (done < length) {
      const count = readSync(this.descriptor, buffer, done, length - done, offset + done);
      if (count === 0) break;
      done += count;
    }
    buffer.fill(0, done, length);
  }

  /**
   * Writes all of `buffer` at `offset` of the file.
   * @throws a system error: ENOSPC, for example
   */
  write(buffer: Buffer, offset: number): void {
    let done = 0;
    while (done < buffer.length)
      done += writeSync(this.descriptor, buffer, done, buffer.length - done, offset + done);
  }

  writeU32(value: number, offset: number): void {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value >>> 0);
    this.write(bytes, offset);
  }

  close(): void {
    closeSync(this.descriptor);
  }
}

function denied(folder: string): string {
  return `Node's permission model denies it: start node with --allow-fs-read=${folder}/ and --allow-fs-write=${folder}/`;
}

function createUnlinked(folder: string): number {
  const path = join(folder, `tsgun-${process.pid}-${randomBytes(8).toString("hex")}`);
  const descriptor = openSync(path, FLAGS, 0o600);
  try {
    unlinkSync(path);
    return descriptor;
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

/** The kernel kills a process that writes beyond its limit. Returns why the file cannot be used, if that may happen. */
function fileSizeLimit(path: string): string | undefined {
  let text: string;
  try {
    text = readFileSync(path, "latin1");
  } catch {
    // Not Linux.
    return undefined;
  }
  const limit = /^Max file size +(\d+) /m.exec(text)?.[1];
  if (limit === undefined || Number(limit) >= MAX_REGIONS * REGION_BYTES) return undefined;
  return `the limit of a file's size is ${limit} bytes (ulimit -f, LimitFSIZE=)`;
}
