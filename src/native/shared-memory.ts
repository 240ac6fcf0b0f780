/** A shared mapping of a file, which Node lacks: mmap from libc through the optional package koffi. */
import { createRequire } from "node:module";

/** The same numbers on Linux, macOS and the BSDs. */
const PROT_READ_WRITE = 1 | 2;
const MAP_SHARED = 1;

/** mmap's type of an offset has this size only where pointers have it. */
const POINTER_BYTES = 8;
const FAILED = -1n;

/**
 * Maps a part of a file for as long as the process lives. A store beyond the end of the file, or where its file system
 * has no room, kills the process: write the part before you map it.
 *
 * @param offset a multiple of the size of a page of the machine's memory
 * @throws without koffi, or a system error
 */
export function mapShared(descriptor: number, offset: number, length: number): ArrayBuffer {
  const require = createRequire(import.meta.url);
  const koffi = require("koffi") as typeof import("koffi");
  if (koffi.sizeof("void *") !== POINTER_BYTES) throw new Error("files are mapped on 64-bit machines alone");
  const mmap = koffi
    .load(null)
    .func("void *mmap(void *address, size_t length, int protection, int flags, int fd, int64_t offset)");
  const address: unknown = mmap(null, length, PROT_READ_WRITE, MAP_SHARED, descriptor, offset);
  if (typeof address !== "bigint" || BigInt.asIntN(64, address) === FAILED) {
    throw new Error(`mmap: errno ${koffi.errno()}`);
  }
  return koffi.view(address, length) as ArrayBuffer;
}
