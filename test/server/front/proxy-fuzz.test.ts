/**
 * PROXY headers at random, held to an independent reader (proxy-protocol-js). It is laxer than the specification, so what we
 * read it must read alike; what we refuse, it may read. Headers as balancers write them must be read by both.
 * `TSGUN_FUZZ_HEADERS` is the number of headers, and `TSGUN_FUZZ_SEED` another seed.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { V1BinaryProxyProtocol, V2ProxyProtocol } from "proxy-protocol-js";
import { crc32c } from "../../../src/server/front/crc32c.ts";
import { type ProxyHeader, readProxyHeader } from "../../../src/server/front/proxy-header.ts";
import {
  binaryHeader,
  inet,
  LOCAL,
  PROXY,
  SIGNATURE,
  textHeader,
  vector,
} from "../../support/proxy-headers.ts";
import { Random } from "../../support/random.ts";

const HEADERS = Number(process.env.TSGUN_FUZZ_HEADERS ?? 6000);
const SEED = Number(process.env.TSGUN_FUZZ_SEED ?? 14);

const AFTER = Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n");

function randomBytes(random: Random, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => random.below(256)));
}

const address4 = (random: Random): string => [...randomBytes(random, 4)].join(".");

function address6(random: Random): string {
  const groups = Array.from({ length: 8 }, () =>
    (random.below(3) === 0 ? 0 : random.below(0x10000)).toString(16),
  );
  const text = groups.join(":");
  return random.below(2) === 0 ? text : text.replace(/(?:^|:)0(?::0)*(?::|$)/, "::");
}

function text(random: Random): Buffer {
  if (random.below(10) === 0)
    return Buffer.from(random.pick(["PROXY UNKNOWN\r\n", "PROXY UNKNOWN ::1 ::1 1 2\r\n"]));
  const address = random.below(2) === 0 ? address4 : address6;
  return Buffer.from(textHeader(address(random), random.below(65_536)));
}

function binary(random: Random): Buffer {
  const tlvs = Array.from({ length: random.below(4) }, () =>
    vector(random.pick([1, 2, 4, 5, 0x30, 0xea]), randomBytes(random, random.below(40))),
  );
  const withTlvs = (block: Buffer): Buffer => {
    if (random.below(2) === 0) return Buffer.concat([block, ...tlvs]);
    return Buffer.concat([block, ...tlvs, vector(3, Buffer.alloc(4))]);
  };
  const ports = (): [number, number] => [random.below(65_536), random.below(65_536)];
  const [family, block] = random.pick<() => [number, Buffer]>([
    () => [0x11, inet(address4(random), address4(random), ...ports())],
    () => [0x21, randomBytes(random, 36)],
    () => [0x31, Buffer.concat([Buffer.from("/run/a".padEnd(108, "\0")), Buffer.alloc(108)])],
    () => [0x00, Buffer.alloc(0)],
  ])();
  const header = binaryHeader(random.below(8) === 0 ? LOCAL : PROXY, family, withTlvs(block));
  if (header.subarray(-7, -4).equals(Buffer.from([3, 0, 4])) && header.readUInt32BE(header.length - 4) === 0)
    header.writeUInt32BE(crc32c(header), header.length - 4);
  return header;
}

/** Damages a header: bytes changed, removed, repeated, or cut off. */
function damaged(header: Buffer, random: Random): Buffer {
  const at = random.below(header.length);
  const rest = header.subarray(at + 1);
  switch (random.below(5)) {
    case 0:
      return Buffer.concat([header.subarray(0, at), Buffer.of(random.below(256)), rest]);
    case 1:
      return Buffer.concat([header.subarray(0, at), rest]);
    case 2:
      return Buffer.concat([header.subarray(0, at + 1), header.subarray(at)]);
    case 3:
      return Buffer.concat([
        header.subarray(0, at),
        Buffer.from(random.pick([" ", "\r\n", "\n", "0", ":", "::", "-1"])),
        header.subarray(at),
      ]);
    default:
      return header.subarray(0, at);
  }
}

function read(bytes: Buffer): ProxyHeader | "refused" | undefined {
  try {
    return readProxyHeader(bytes, "auto");
  } catch (error) {
    assert.equal((error as Error).name, "ProxyHeaderError");
    return "refused";
  }
}

/** Addresses as bytes: the two readers write them differently. */
function numbers(address: string): number[] {
  if (!address.includes(":")) return address.split(".").map(Number);
  const mapped = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address);
  if (mapped !== null) {
    const [, start = "", a, b, c, d] = mapped;
    return numbers(
      `${start}${((Number(a) << 8) | Number(b)).toString(16)}:${((Number(c) << 8) | Number(d)).toString(16)}`,
    );
  }
  const [head = "", tail] = address.split("::");
  const groups = (part: string): number[] =>
    part
      .split(":")
      .filter(Boolean)
      .map((group) => Number.parseInt(group, 16));
  const before = groups(head);
  const after = groups(tail ?? "");
  const all = [...before, ...Array.from({ length: 8 - before.length - after.length }, () => 0), ...after];
  const bytes = all.flatMap((group) => [group >> 8, group & 0xff]);
  return bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff
    ? bytes.slice(12)
    : bytes;
}

/** Compares what we have read with what the other one reads. */
function compare(bytes: Buffer, ours: ProxyHeader): void {
  if (ours.version === 1) {
    // It demands addresses of UNKNOWN.
    if (ours.peer === undefined) return;
    const { source, destination, data } = V1BinaryProxyProtocol.parse(bytes);
    const told = [source, destination].map(({ ipAddress, port }) => [numbers(ipAddress), port]);
    assert.deepEqual(
      [ours.peer, ours.local].map((end) => [numbers(end?.address ?? ""), end?.port]),
      told,
    );
    assert.deepEqual(Buffer.from(data ?? []), bytes.subarray(ours.length));
    return;
  }
  if (bytes[SIGNATURE.length] === LOCAL || bytes[SIGNATURE.length + 1] === 0) return;
  const { proxyAddress, data } = V2ProxyProtocol.parse(bytes);
  const size = ours.tlvs.reduce((sum, { value }) => sum + 3 + value.length, 0);
  // It takes the vectors for the client's bytes.
  assert.deepEqual(Buffer.from(data ?? []).subarray(size), bytes.subarray(ours.length));
  if (ours.peer === undefined || ours.peer.family === "unix") return;
  const { sourceAddress, sourcePort, destinationAddress, destinationPort } = proxyAddress as unknown as {
    [end in "sourceAddress" | "destinationAddress"]: { address: number[] };
  } & { [end in "sourcePort" | "destinationPort"]: number };
  const plain = ({ address }: { address: number[] }): number[] => {
    const all = [...address];
    const isMapped = all.length === 16 && all.slice(0, 12).join() === "0,0,0,0,0,0,0,0,0,0,255,255";
    return isMapped ? all.slice(12) : all;
  };
  assert.deepEqual([numbers(ours.peer.address), ours.peer.port], [plain(sourceAddress), sourcePort]);
  assert.deepEqual(
    [numbers(ours.local?.address ?? ""), ours.local?.port],
    [plain(destinationAddress), destinationPort],
  );
}

test(`${HEADERS} headers are read as another reader does, whole, in pieces and damaged`, () => {
  const random = new Random(SEED);
  let accepted = 0;
  for (let count = 0; count < HEADERS; count += 1) {
    const header = random.pick([text, binary])(random);
    const whole = Buffer.concat([header, AFTER]);
    const name = `header ${count} of seed ${SEED}: ${header.toString("latin1")}`;
    const ours = read(whole);
    assert.ok(ours !== undefined && ours !== "refused", name);
    assert.equal(ours.length, header.length, name);
    compare(whole, ours);
    assert.equal(read(header.subarray(0, random.below(header.length))), undefined, name);

    const bytes = Buffer.concat([damaged(header, random), AFTER]);
    const other = read(bytes);
    if (other === undefined || other === "refused") continue;
    accepted += 1;
    compare(bytes, other);
  }
  // Else the damage would be so great that nothing was compared.
  assert.ok(accepted > HEADERS / 50, `${accepted} of the damaged headers were read`);
});
