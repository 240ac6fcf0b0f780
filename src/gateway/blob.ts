/** Whether content is a Blob. */

/** Told by its members: the global is loaded only by whoever makes one. */
export function isBlob(content: object): content is Blob {
  const { size, arrayBuffer, stream } = content as Partial<Blob>;
  return typeof size === "number" && typeof arrayBuffer === "function" && typeof stream === "function";
}
