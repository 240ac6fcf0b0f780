import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { crc32c } from "../../../src/server/front/crc32c.ts";
import {
  type AcceptedVersions,
  MAX_BINARY_BYTES,
  readProxyHeader,
} from "../../../src/server/front/proxy-header.ts";
import {
  binaryHeader,
  inet,
  LOCAL,
  PROXY,
  SIGNATURE,
  textHeader,
  vector,
} from "../../support/proxy-headers.ts";

const REST = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

const ipv4 = (address: string, port: number): object => ({ family: "ipv4", address, port });
const ipv6 = (address: string, port: number): object => ({ family: "ipv6", address, port });
const unix = (address: string): object => ({ family: "unix", address, port: 0 });

interface Told {
  readonly peer?: object;
  readonly local?: object;
  readonly tlvs?: readonly object[];
  readonly tls?: object;
}

/** Reads the header in one piece, and each of its beginnings, none of which may decide anything. */
function assertTells(bytes: Buffer | string, told: Told, versions: AcceptedVersions = "auto"): void {
  const header = Buffer.from(bytes as string, "latin1");
  const version = header[0] === 0x50 ? 1 : 2;
  const expected = { peer: undefined, local: undefined, tlvs: [], tls: undefined, ...told };
  assert.deepEqual(readProxyHeader(Buffer.concat([header, Buffer.from(REST)]), versions), {
    version,
    length: header.length,
    ...expected,
  });
  for (let length = 0; length < header.length; length += 1)
    assert.equal(readProxyHeader(header.subarray(0, length), versions), undefined, `${length} bytes`);
}

/** Refused; and once a beginning has been refused, so is everything that goes on from it. */
function assertRefuses(bytes: Buffer | string, why: RegExp, versions: AcceptedVersions = "auto"): void {
  const header = Buffer.from(bytes as string, "latin1");
  assert.throws(() => readProxyHeader(header, versions), { name: "ProxyHeaderError", message: why });
  let refused = false;
  for (let length = 0; length <= header.length; length += 1) {
    let now = false;
    try {
      assert.equal(readProxyHeader(header.subarray(0, length), versions), undefined);
    } catch (error) {
      assert.equal((error as Error).name, "ProxyHeaderError");
      now = true;
    }
    assert.ok(now || !refused, `accepted again at ${length} bytes`);
    refused = now;
  }
}

describe("version 1", () => {
  test("names the client and the address that it connected to", () => {
    assertTells("PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n", {
      peer: ipv4("192.168.0.1", 56324),
      local: ipv4("192.168.0.11", 443),
    });
    assertTells("PROXY TCP6 2001:DB8:0:0::1 ::1 0 65535\r\n", {
      peer: ipv6("2001:db8::1", 0),
      local: ipv6("::1", 65535),
    });
    assertTells(`PROXY TCP6 ${"ffff:".repeat(7)}ffff ${"ffff:".repeat(7)}ffff 65535 65535\r\n`, {
      peer: ipv6(`${"ffff:".repeat(7)}ffff`, 65535),
      local: ipv6(`${"ffff:".repeat(7)}ffff`, 65535),
    });
  });

  test("an IPv4 address has one name, however it is written", () => {
    const told = { peer: ipv4("1.2.3.4", 1), local: ipv4("5.6.7.8", 2) };
    assertTells("PROXY TCP6 ::ffff:1.2.3.4 ::FFFF:506:708 1 2\r\n", told);
  });

  test("UNKNOWN leaves the connection its own addresses, and whatever follows is ignored", () => {
    assertTells("PROXY UNKNOWN\r\n", {});
    assertTells("PROXY UNKNOWN 1.2.3.4 nonsense \n \xff\r\n", {});
    assertTells(`PROXY UNKNOWN ${"f".repeat(107 - 16)}\r\n`, {});
  });

  test("ends within 107 bytes", () => {
    assertRefuses(`PROXY UNKNOWN ${"f".repeat(107 - 15)}\r\n`, /without an end in its first 107 bytes/);
    assertRefuses(`PROXY TCP4 ${"1".repeat(200)}`, /without an end/);
  });

  const malformed: readonly string[] = [
    "PROXY TCP4 1.2.3.4 5.6.7.8 1 65536",
    "PROXY TCP4 1.2.3.4 5.6.7.8 -1 2",
    "PROXY TCP4 1.2.3.4 5.6.7.8 +1 2",
    "PROXY TCP4 1.2.3.4 5.6.7.8 01 2",
    "PROXY TCP4 1.2.3.4 5.6.7.8 1 00",
    "PROXY TCP4 1.2.3.4 5.6.7.8 1e1 2",
    "PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3",
    "PROXY TCP4 1.2.3.4 5.6.7.8 1 2 ",
    "PROXY TCP4 1.2.3.4 5.6.7.8 1",
    "PROXY TCP4 1.2.3.4  5.6.7.8 1 2",
    "PROXY  TCP4 1.2.3.4 5.6.7.8 1 2",
    "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r",
    "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n",
    "PROXY TCP4 1.2.3.04 5.6.7.8 1 2",
    "PROXY TCP4 1.2.3.256 5.6.7.8 1 2",
    "PROXY TCP4 1.2.3 5.6.7.8 1 2",
    "PROXY TCP4 0x1.2.3.4 5.6.7.8 1 2",
    "PROXY TCP4 ::1 ::1 1 2",
    "PROXY TCP6 1.2.3.4 5.6.7.8 1 2",
    "PROXY TCP6 :: 1.2.3.4 1 2",
    "PROXY TCP6 fe80::1%eth0 ::1 1 2",
    "PROXY TCP6 1::2::3 ::1 1 2",
    "PROXY TCP6 00001:: ::1 1 2",
    "PROXY TCP6 1:2:3:4:5:6:7:8:9 ::1 1 2",
    "PROXY tcp4 1.2.3.4 5.6.7.8 1 2",
    "PROXY UDP4 1.2.3.4 5.6.7.8 1 2",
    "PROXY UNKNOWNS",
    "PROXY TCP4",
    "PROXY ",
    "PROXY / HTTP/1.1",
  ];
  for (const line of malformed)
    test(`refuses ${JSON.stringify(line)}`, () =>
      assertRefuses(`${line}\r\n`, /malformed PROXY header of version 1/));
});

describe("version 2", () => {
  const block = inet("192.0.2.7", "10.0.0.1", 50_000, 443);
  const ends = { peer: ipv4("192.0.2.7", 50_000), local: ipv4("10.0.0.1", 443) };

  test("names the client and the address that it connected to", () => {
    assertTells(binaryHeader(PROXY, 0x11, block), ends);
    const six = Buffer.alloc(36);
    six.set([0x20, 0x01, 0x0d, 0xb8], 0);
    six[15] = 1;
    six.set([0xff, 0xff, 10, 0, 0, 1], 26);
    six.set([0xc3, 0x50, 0x01, 0xbb], 32);
    const told = { peer: ipv6("2001:db8::1", 50_000), local: ipv4("10.0.0.1", 443) };
    assertTells(binaryHeader(PROXY, 0x21, six), told);
  });

  test("names the paths of Unix sockets, if they are fit for a log", () => {
    const paths = (peer: string, local: string): Buffer => {
      const bytes = Buffer.alloc(216);
      bytes.write(peer, 0, "latin1");
      bytes.write(local, 108, "latin1");
      return binaryHeader(PROXY, 0x31, bytes);
    };
    assertTells(paths("", "/run/app.sock"), { peer: unix(""), local: unix("/run/app.sock") });
    assertTells(paths("/tmp/a b", "\0abstract"), { peer: unix(""), local: unix("") });
    assertTells(paths("l".repeat(108), "/x\n"), { peer: unix("l".repeat(108)), local: unix("") });
  });

  test("LOCAL, no family, and datagrams leave the connection its own addresses", () => {
    assertTells(binaryHeader(LOCAL, 0x00, Buffer.alloc(0)), {});
    assertTells(binaryHeader(LOCAL, 0x11, block), {});
    assertTells(binaryHeader(LOCAL, 0xff, Buffer.alloc(7, 0xff)), {});
    assertTells(binaryHeader(PROXY, 0x00, Buffer.alloc(5, 0xff)), {});
    assertTells(binaryHeader(PROXY, 0x12, block), {});
    assertTells(binaryHeader(PROXY, 0x22, Buffer.alloc(36)), {});
    assertTells(binaryHeader(PROXY, 0x32, Buffer.alloc(216)), {});
  });

  test("has vectors, in their order, and what they say of TLS", () => {
    const ssl = Buffer.concat([
      Buffer.from([0x07, 0, 0, 0, 0]),
      vector(0x21, "TLSv1.3"),
      vector(0x23, "TLS_AES_256_GCM_SHA384"),
      vector(0x22, "Zoë"),
    ]);
    const aws = Buffer.from("\x01vpce-08d2bf15fac5001c9");
    const vectors = [vector(0x05, "id-1"), vector(0x20, ssl), vector(0xea, aws), vector(0x04, "")];
    assertTells(binaryHeader(PROXY, 0x11, Buffer.concat([block, ...vectors])), {
      ...ends,
      tlvs: [
        { type: 0x05, value: Uint8Array.from(Buffer.from("id-1")) },
        { type: 0x20, value: Uint8Array.from(ssl) },
        { type: 0xea, value: Uint8Array.from(aws) },
        { type: 0x04, value: Uint8Array.of() },
      ],
      tls: {
        version: "TLSv1.3",
        cipher: "TLS_AES_256_GCM_SHA384",
        hasCertificate: true,
        authorized: true,
        commonName: "Zoë",
      },
    });
  });

  const tlsOf = (...value: number[]): object | undefined =>
    readProxyHeader(
      binaryHeader(PROXY, 0x11, Buffer.concat([block, vector(0x20, Uint8Array.from(value))])),
      "v2",
    )?.tls;

  test("a client without TLS, without a certificate, or with a bad one is told apart", () => {
    assert.equal(tlsOf(0, 0, 0, 0, 0), undefined);
    const plain = { version: undefined, cipher: undefined, commonName: undefined };
    assert.deepEqual(tlsOf(1, 0, 0, 0, 0), { ...plain, hasCertificate: false, authorized: false });
    assert.deepEqual(tlsOf(3, 0, 0, 0, 1), { ...plain, hasCertificate: true, authorized: false });
  });

  test("its checksum is checked", () => {
    assert.equal(crc32c(Buffer.from("123456789")), 0xe3069283);
    const header = binaryHeader(
      PROXY,
      0x11,
      Buffer.concat([block, vector(0x04, "ab"), vector(0x03, Buffer.alloc(4))]),
    );
    header.writeUInt32BE(crc32c(header), header.length - 4);
    const { tlvs } = readProxyHeader(header, "v2") ?? assert.fail();
    assert.deepEqual(
      tlvs.map(({ type }) => type),
      [4, 3],
    );
    // Without its type there would be none.
    const type = header.length - 7;
    for (let at = SIGNATURE.length + 4; at < header.length; at += 1) {
      if (at === type) continue;
      const damaged = Buffer.from(header);
      damaged[at] = (damaged[at] as number) ^ 0x10;
      assert.throws(() => readProxyHeader(damaged, "v2"), { name: "ProxyHeaderError" }, `byte ${at}`);
    }
    const short = binaryHeader(PROXY, 0x11, Buffer.concat([block, vector(0x03, "abc")]));
    assertRefuses(short, /wrong checksum/);
  });

  test("refuses what the specification does not know", () => {
    for (const command of [0x22, 0x2f, 0x10, 0x31, 0x00])
      assertRefuses(binaryHeader(command, 0x11, block), /unknown version and command, 0x/);
    for (const family of [0x01, 0x10, 0x13, 0x20, 0x30, 0x41, 0xff])
      assertRefuses(binaryHeader(PROXY, family, Buffer.alloc(216)), /unknown family, 0x/);
  });

  test("refuses addresses and vectors that are cut off", () => {
    assertRefuses(binaryHeader(PROXY, 0x11, block.subarray(0, 11)), /too short for its addresses/);
    assertRefuses(binaryHeader(PROXY, 0x21, Buffer.alloc(35)), /too short/);
    assertRefuses(binaryHeader(PROXY, 0x31, Buffer.alloc(215)), /too short/);
    for (const end of [[5], [5, 0], [5, 0, 1], [5, 0xff, 0xff, 1]])
      assertRefuses(
        binaryHeader(PROXY, 0x11, Buffer.concat([block, Buffer.from(end)])),
        /last vector is cut off/,
      );
    for (const ssl of [[1], [1, 0, 0, 0, 0, 0x21, 0, 9, 0]])
      assertRefuses(
        binaryHeader(PROXY, 0x11, Buffer.concat([block, vector(0x20, Uint8Array.from(ssl))])),
        /cut off/,
      );
  });

  test("refuses a length beyond the limit before it has come", () => {
    const header = (size: number): Buffer => binaryHeader(PROXY, 0x11, Buffer.alloc(0), size);
    assert.equal(readProxyHeader(header(MAX_BINARY_BYTES), "auto"), undefined);
    assertRefuses(header(MAX_BINARY_BYTES + 1), /of 4097 bytes, more than 4096/);
    assertRefuses(header(65_535), /of 65535 bytes/);
  });
});

describe("the start", () => {
  test("must be a header", () => {
    for (const text of [
      REST,
      "\r\n",
      " PROXY TCP4",
      "proxy TCP4",
      "PROXYTCP4",
      "PROXY\tTCP4",
      "\x16\x03\x01",
      "PRI * HTTP/2.0\r\n",
    ])
      for (const versions of ["v1", "v2", "auto"] as const)
        if (text !== "\r\n" || versions === "v1")
          assertRefuses(text, /does not begin with a PROXY header/, versions);
  });

  test("must be of the version that is set", () => {
    assertRefuses(binaryHeader(LOCAL, 0, Buffer.alloc(0)), /begins with a PROXY header of v2, not v1/, "v1");
    assertRefuses(textHeader("192.0.2.1"), /begins with a PROXY header of v1, not v2/, "v2");
    assertTells(binaryHeader(LOCAL, 0, Buffer.alloc(0)), {}, "v2");
    assertTells("PROXY UNKNOWN\r\n", {}, "v1");
  });
});
