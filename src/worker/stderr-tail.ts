/**
 * Keeps the end of what this worker says on standard error, on its page: the app's JavaScript (process.stderr,
 * console.error), and the lines of the error log wherever they go. Native code writes around it.
 */
import type { ErrorLog } from "../log/error-log.ts";

type Write = typeof process.stderr.write;

export function keepStderr(append: (output: string | Uint8Array) => void, log: ErrorLog): void {
  log.whenText(append);
  const property = Object.getOwnPropertyDescriptor(process, "stderr");
  if (property?.get === undefined) return;
  // Node creates the stream on first access, and most workers print nothing.
  const get = (): NodeJS.WriteStream => {
    Object.defineProperty(process, "stderr", property);
    const stream = process.stderr;
    stream.write = kept(stream.write.bind(stream), append);
    return stream;
  };
  Object.defineProperty(process, "stderr", { ...property, get });
}

/** A stream's `write` that passes on to `append` what it writes. */
function kept(write: Write, append: (output: string | Uint8Array) => void): Write {
  const keep = (output: unknown, encoding: unknown): void => {
    if (typeof output === "string") append(isOther(encoding) ? Buffer.from(output, encoding) : output);
    else if (output instanceof Uint8Array) append(output);
  };
  return ((...args: Parameters<Write>) => {
    keep(args[0], args[1]);
    return write(...args);
  }) as Write;
}

/** Whether it is the name of an encoding other than UTF-8. */
function isOther(encoding: unknown): encoding is BufferEncoding {
  return typeof encoding === "string" && Buffer.isEncoding(encoding) && !/^utf-?8$/i.test(encoding);
}
