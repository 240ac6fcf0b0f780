import assert from "node:assert/strict";
import { endianness } from "node:os";
import { test } from "node:test";
import { ipAddress } from "../../src/system/socket-table.ts";

const skip = endianness() !== "LE" && "the examples are from a little-endian machine";

test("decodes the addresses of the kernel's tables", { skip }, () => {
  assert.equal(ipAddress("0100007F"), "127.0.0.1");
  assert.equal(ipAddress("00000000000000000000000001000000"), "::1");
  assert.equal(ipAddress("B80D0120000000000000000001000000"), "2001:db8::1");
  assert.equal(ipAddress("0000000000000000FFFF00000100007F"), "::ffff:127.0.0.1");
});
