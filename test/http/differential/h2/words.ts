/** Terminals of the fields and frames of HTTP/2: valid ones, and flaws that recipients have read in different ways. */

export const AUTHORITIES = ["a.example", "a.example", "a.example:80", "[::1]", "127.0.0.1:8000"];

/** With the name of a pseudo-header field: values that it must not have. */
export const PSEUDO_FLAWS: Readonly<Record<string, readonly string[]>> = {
  ":method": [
    "",
    "G ET",
    "GET\0",
    "GET\r\nX: y",
    "G\xc9T",
    "GET /smuggled HTTP/1.1\r\nX:",
    "(GET)",
    " GET",
    "CONNECT",
  ],
  ":scheme": [
    "",
    "ftp",
    "HTTP",
    "http\0",
    "http\r\n",
    "https://b.example/smuggled?",
    "http://",
    " http",
    "ws",
  ],
  ":path": [
    "",
    "a",
    "*",
    "?a",
    "/a b",
    "/a\tb",
    "/a\0",
    "/\r\nX: y",
    "/ HTTP/1.1\r\nHost: b\r\n\r\nGET /smuggled",
    "/#a",
    "/a\xe9",
    "/a\x7f",
    "http://b.example/",
    "//\x00",
    " /",
    "/ ",
    "\\a",
  ],
  ":authority": [
    "",
    "u@a.example",
    "a b",
    "a.example:99999",
    "[::1",
    "a.example/smuggled",
    "a.example\r\nX: y",
    "a.example\0",
    "a.example, b.example",
    "a.example#",
    " a.example",
    "a\xe9",
    ":80",
    "https://a.example",
  ],
};

/** Pseudo-header fields that are none of a request. */
export const OTHER_PSEUDO: readonly (readonly [string, string])[] = [
  [":status", "200"],
  [":protocol", "websocket"],
  [":protocol", "connect-udp"],
  [":", "a"],
  [":x", "y"],
  [":Path", "/b"],
  [":path ", "/b"],
  [":host", "b.example"],
];

/** RFC 9113 section 8.2.2. */
export const CONNECTION_FIELDS: readonly (readonly [string, string])[] = [
  ["connection", "close"],
  ["connection", "content-length"],
  ["keep-alive", "timeout=5"],
  ["proxy-connection", "keep-alive"],
  ["transfer-encoding", "chunked"],
  ["transfer-encoding", "identity"],
  ["transfer-encoding ", "chunked"],
  ["Transfer-Encoding", "chunked"],
  ["upgrade", "h2c"],
  ["te", "gzip"],
  ["te", "trailers, deflate"],
  ["te", "Trailers"],
  ["http2-settings", "AAMAAABk"],
];

export const SMALL_FIELDS: readonly (readonly [string, string])[] = [
  ["accept", "*/*"],
  ["x-a", "1"],
  ["x-empty", ""],
  ["x-bytes", "\xe9\x80\xff"],
  ["x-quoted", '"a, b"; c="\\""'],
  ["cookie", "a=b"],
  ["cookie", "c=d; e=f"],
  ["content-type", "text/plain"],
  ["te", "trailers"],
  ["trailer", "x-a"],
  ["user-agent", "a/1 (b)"],
  ["x_y", "z"],
  ["priority", "u=3, i"],
  ["content-length-x", "5"],
  ["x-tab", "a\tb"],
];

export const FIELD_FLAWS: readonly (readonly [string, string])[] = [
  ["", ""],
  ["", "a"],
  [" ", "a"],
  ["X-Upper", "a"],
  ["x a", "b"],
  ["x:a", "b"],
  ["x-a:", "b"],
  ["x\0", "b"],
  ["x\r\nhost", "b.example"],
  ["x\ncontent-length", "5"],
  ["x\xe9", "b"],
  ["(x)", "b"],
  ["x-a", "b\0"],
  ["x-a", "b\r\nhost: b.example"],
  ["x-a", "b\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["x-a", "b\nx-b: c"],
  ["x-a", "b\rx-b: c"],
  ["x-a", " b"],
  ["x-a", "b "],
  ["x-a", "\tb"],
  ["x-a", "b\x0b"],
  ["x-a", "\x7f"],
  ["content-length", "5\0"],
  ["content-length", " 0"],
  ["host", "b.example"],
  ["host", "a.example\0"],
  ["host", ""],
  ["host", "u@a.example"],
  ["cookie", "a\0"],
  ["authorization", "a\r\nb"],
  ["expect", "tea"],
  ["expect", "100-continue"],
];

export const LENGTH_FLAWS: readonly ((length: number) => string)[] = [
  () => "",
  () => "0",
  (length) => String(length + 1),
  (length) => String(Math.max(length - 1, 0)),
  (length) => `+${length}`,
  (length) => `-${length}`,
  (length) => `0${length}`,
  (length) => `0x${length.toString(16)}`,
  (length) => `${length}, ${length}`,
  (length) => `${length}.0`,
  (length) => String(18446744073709551616n + BigInt(length)),
  () => "9007199254740992",
  () => "chunked",
];

export const TRAILER_FLAWS: readonly (readonly [string, string])[] = [
  [":path", "/smuggled"],
  [":method", "GET"],
  [":status", "200"],
  ["content-length", "0"],
  ["transfer-encoding", "chunked"],
  ["host", "b.example"],
  ["connection", "close"],
  ["authorization", "a"],
  ["cookie", "a=b"],
  ["X-Sum", "1"],
  ["x-sum", "1\0"],
  ["x sum", "1"],
  ["", "1"],
];

/** Pieces of header blocks that no encoder may make (RFC 7541). */
export const BLOCK_FLAWS: readonly Buffer[] = [
  // The index 0, and indices behind the end of both tables.
  [0x80],
  [0xff, 0x00],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
  [0x7f, 0x80, 0x01, 0x01, 0x61],
  // A table of 8192 octets, and a change of its size that may come too late.
  [0x3f, 0xe1, 0x3f],
  [0x20],
  // A string that is longer than the block.
  [0x00, 0x01, 0x61, 0x05, 0x61],
  [0x00, 0x7f],
  // Huffman: padding of zeros, of a whole octet, and EOS.
  [0x00, 0x01, 0x61, 0x81, 0x18],
  [0x00, 0x01, 0x61, 0x82, 0x1f, 0xff],
  [0x00, 0x01, 0x61, 0x84, 0xff, 0xff, 0xff, 0xff],
].map((bytes) => Buffer.from(bytes));

export const SETTINGS: readonly (readonly [id: number, value: number])[] = [
  [1, 4096],
  [1, 0],
  [1, 65_536],
  [2, 0],
  [3, 0],
  [3, 100],
  [4, 65_535],
  [4, 1_048_576],
  [5, 16_384],
  [5, 16_777_215],
  [6, 4096],
  [9, 1],
  [0xaa, 1],
];
export const SETTING_FLAWS: readonly (readonly [id: number, value: number])[] = [
  [2, 2],
  [4, 2_147_483_648],
  [4, 2_147_483_647],
  [4, 0],
  [5, 16_383],
  [5, 16_777_216],
  [5, 0],
  [8, 2],
  [9, 2],
];
