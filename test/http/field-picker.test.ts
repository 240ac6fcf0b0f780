/** Picking fields from a section gives the same values as splitting it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { joinFields } from "../../src/gateway/fields.ts";
import { FieldPicker, findField } from "../../src/http/field-picker.ts";
import { splitFields } from "../../src/http/request-head.ts";

const SECTION =
  "Host: x\r\nUSER-agent:\t  curl/8 \t\r\nx-forwarded-for: 1\r\nX-Forwarded-For:2\r\nEmpty:\r\nX-Forwarded-Forx: 3\r\n" +
  "Referer: https://example.com/?a:b\r\nuser-agentx: y\r\nlatin: \xe0 \xa0\r\n\r\n";

test("each field is found in any case, and repeated ones are joined", () => {
  const fields = joinFields(splitFields(SECTION));
  const names = [...Object.keys(fields), "none", "user", "x-forwarded-fo"];
  const picker = new FieldPicker(names);
  const picked = picker.pick(SECTION);
  for (const name of names) {
    assert.equal(picked[picker.indexOf(name) as number], fields[name], name);
    assert.equal(findField(SECTION, name), fields[name], name);
  }
  assert.equal(findField(SECTION, "x-forwarded-for"), "1, 2");
  assert.equal(findField(SECTION, "empty"), "");
  assert.equal(picker.indexOf("other"), -1);
});

test("a truncated or empty section", () => {
  assert.equal(findField("", "host"), undefined);
  assert.equal(findField("\r\n", "host"), undefined);
  assert.equal(findField("host: x\r\nuser-ag", "host"), "x");
  assert.equal(findField("host: x", "host"), undefined);
});
