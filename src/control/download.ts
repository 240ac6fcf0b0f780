/** Receives content of any size from a running server, into a file. */
import { closeSync, existsSync, linkSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { ExitCode, FatalError } from "../errors.ts";
import { request } from "../native/http.ts";

/** A refusal of the server: its status, and the reason as it sent it. */
export interface Refused {
  readonly status: number;
  readonly body: unknown;
}

/** Signals that end this process. */
const ENDING = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * A file that is written until it is whole, and only then has its name. It is readable by its owner alone. What is left of a
 * broken one is removed, also when a signal ends this process.
 */
export class NewFile {
  readonly path: string;
  readonly #partial: string;
  readonly #descriptor: number;
  bytes = 0;

  /** @throws FatalError if a file of this name exists, or the folder does not let one be made */
  constructor(path: string) {
    this.path = path;
    this.#partial = `${path}.${process.pid}.partial`;
    if (existsSync(path)) throw this.#exists();
    try {
      this.#descriptor = openSync(this.#partial, "wx", 0o600);
    } catch (error) {
      throw this.#unwritable(error);
    }
    for (const signal of ENDING) process.once(signal, this.#interrupted);
  }

  /** @throws FatalError if the disk is full */
  write(bytes: Uint8Array): void {
    try {
      for (let sent = 0; sent < bytes.length; ) sent += writeSync(this.#descriptor, bytes, sent);
    } catch (error) {
      throw this.#unwritable(error);
    }
    this.bytes += bytes.length;
  }

  /** Gives it its name. @throws FatalError if another file has it by now */
  finish(): void {
    closeSync(this.#descriptor);
    try {
      // A link, since a rename would replace a file that has been made meanwhile.
      linkSync(this.#partial, this.path);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EEXIST" || existsSync(this.path)) throw this.#exists();
      // A file system without links.
      renameSync(this.#partial, this.path);
    }
    this.#forget();
  }

  /** Removes what has been written. */
  discard(): void {
    try {
      closeSync(this.#descriptor);
    } catch {
      // It was closed for its name, which another file has.
    }
    this.#forget();
  }

  #forget(): void {
    rmSync(this.#partial, { force: true });
    for (const signal of ENDING) process.off(signal, this.#interrupted);
  }

  readonly #interrupted = (signal: NodeJS.Signals): void => {
    this.discard();
    process.kill(process.pid, signal);
  };

  #exists(): FatalError {
    return new FatalError(`${this.path} exists: name another file with -o`, ExitCode.failure);
  }

  #unwritable(error: unknown): FatalError {
    const { message } = error as NodeJS.ErrnoException;
    return new FatalError(
      `cannot write ${this.path}: ${message}; name another file with -o`,
      ExitCode.failure,
    );
  }
}

/**
 * Sends a POST and writes the content of the response to the file.
 *
 * @returns the refusal if the status is not 200; undefined once the file is whole
 * @throws FatalError if the server cannot be reached, or ends the response before its end
 */
export async function download(
  socket: string,
  path: string,
  body: unknown,
  file: NewFile,
): Promise<Refused | undefined> {
  const response = await post(socket, path, body);
  const isContent = response.statusCode === 200;
  const refusal: Buffer[] = [];
  try {
    for await (const chunk of response) {
      if (isContent) file.write(chunk as Buffer);
      else refusal.push(chunk as Buffer);
    }
  } catch (error) {
    if (error instanceof FatalError) throw error;
    throw new FatalError(
      `the server has not sent all: the worker has ended, or has not answered in time (the server's log says more); nothing is left of ${file.path}`,
      ExitCode.failure,
    );
  }
  if (isContent) return undefined;
  return { status: response.statusCode ?? 0, body: parsed(Buffer.concat(refusal).toString("utf8")) };
}

function post(socket: string, path: string, body: unknown): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const text = JSON.stringify(body ?? {});
    const headers = {
      host: "tsgun",
      "content-type": "application/json",
      "content-length": Buffer.byteLength(text),
    };
    const outgoing = request({ socketPath: socket, method: "POST", path, headers }, resolve);
    outgoing.on("error", (error) => {
      reject(new FatalError(`cannot reach the server at ${socket}: ${error.message}`, ExitCode.failure));
    });
    outgoing.end(text);
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
