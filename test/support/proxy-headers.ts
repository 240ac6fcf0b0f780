/** PROXY headers as a balancer writes them, for tests. */

export const SIGNATURE = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
export const LOCAL = 0x20;
export const PROXY = 0x21;

/** A header of version 1 for a client at `address`. */
export function textHeader(address: string, port = 50_000, destination = "10.0.0.1"): string {
  return `PROXY TCP${address.includes(":") ? 6 : 4} ${address} ${address.includes(":") ? "2001:db8::1" : destination} ${port} 443\r\n`;
}

/** A header of version 2. @param block the addresses and vectors @param length what the header says that they take */
export function binaryHeader(command: number, family: number, block: Buffer, length = block.length): Buffer {
  const fixed = Buffer.from([command, family, length >> 8, length & 0xff]);
  return Buffer.concat([SIGNATURE, fixed, block]);
}

export function vector(type: number, value: Uint8Array | string): Buffer {
  const bytes = Buffer.from(value as string);
  return Buffer.concat([Buffer.from([type, bytes.length >> 8, bytes.length & 0xff]), bytes]);
}

/** Addresses of TCP over IPv4. */
export function inet(
  source: string,
  destination: string,
  sourcePort: number,
  destinationPort: number,
): Buffer {
  const bytes = Buffer.alloc(12);
  bytes.set([...source.split("."), ...destination.split(".")].map(Number));
  bytes.writeUInt16BE(sourcePort, 8);
  bytes.writeUInt16BE(destinationPort, 10);
  return bytes;
}
