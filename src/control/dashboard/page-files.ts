/** The files of the page, as the build wrote them. They hold nothing of the server's, so they are sent to whom a token would let in. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { OWN_FOLDER, RUNS_SOURCE } from "../../ipc/programs.ts";
import type { TextReply } from "../reply.ts";

const TYPES = {
  "index.html": "text/html; charset=utf-8",
  "dashboard.js": "text/javascript; charset=utf-8",
  "dashboard.css": "text/css; charset=utf-8",
} as const;

export type PageFile = keyof typeof TYPES;

/** Nothing from elsewhere, nothing inline, in no frame; a new window knows nothing of this one. */
export const PAGE_HEADERS = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "permissions-policy": "camera=(), geolocation=(), microphone=()",
} as const;

/** Only the build makes them. */
const FOLDER = new URL(RUNS_SOURCE ? "../dist/dashboard/" : "dashboard/", OWN_FOLDER);

interface Loaded {
  readonly text: string;
  readonly tag: string;
}

const loaded = new Map<PageFile, Loaded>();

/** @param known the tags that the browser has, from If-None-Match */
export function pageFile(name: PageFile, known: string | undefined): TextReply {
  const { text, tag } = load(name);
  // The name of a file stays when its content changes: the browser asks each time, and keeps what has not changed.
  const headers = { ...PAGE_HEADERS, "cache-control": "no-cache", etag: tag };
  const type = TYPES[name];
  if (known?.split(/, */).includes(tag)) return { status: 304, type, text: "", headers };
  return { status: 200, type, text, headers };
}

/** Reads all files: later the release that this server runs from may be gone. */
export function loadPage(): void {
  for (const name of Object.keys(TYPES)) load(name as PageFile);
}

/** Reads a file once: a package that is replaced must not mix its page with another's. */
function load(name: PageFile): Loaded {
  const known = loaded.get(name);
  if (known !== undefined) return known;
  const text = readFileSync(new URL(name, FOLDER), "utf8");
  const found = { text, tag: `"${createHash("sha256").update(text).digest("base64url").slice(0, 22)}"` };
  loaded.set(name, found);
  return found;
}
