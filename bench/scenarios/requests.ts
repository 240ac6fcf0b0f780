/** Requests that several scenarios make, with the answers that they expect. */
import type { Expected, Request } from "../lib/answer.ts";

/** The fields, beside Host, that nginx forwards from a browser. */
export const FORWARDED = {
  "X-Real-IP": "203.0.113.7",
  "X-Forwarded-For": "203.0.113.7",
  "X-Forwarded-Proto": "https",
  "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
  Accept: "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
  "Accept-Language": "en-US,en;q=0.5",
  "Accept-Encoding": "gzip, deflate, br",
  Referer: "https://example.com/",
  Cookie: "session=0123456789abcdef; theme=dark",
  "Upgrade-Insecure-Requests": "1",
};

/** Eight of them. */
export const EIGHT_FIELDS = Object.fromEntries(
  Object.entries(FORWARDED).filter(([name]) => name !== "Referer" && name !== "Upgrade-Insecure-Requests"),
);

export const HELLO: { request: Request; expected: Expected } = {
  request: { path: "/hello", headers: FORWARDED },
  expected: { status: 200, content: "Hello, world\n" },
};

const items = Array.from({ length: 20 }, (_, index) => ({
  id: index + 1,
  name: `item number ${index + 1}`,
  price: index + 1.5,
}));

/** A JSON document of about 1 KB. */
export const POST: { request: Request; expected: Expected } = {
  request: {
    method: "POST",
    path: "/post",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ items }),
  },
  expected: { status: 200, content: JSON.stringify({ ok: true, items: items.length }) },
};

/** A hundred pieces of about 24 bytes. */
export const PIECES: Expected = {
  status: 200,
  content: Array.from({ length: 100 }, (_, piece) => `piece ${piece} of the answer\n`).join(""),
};
