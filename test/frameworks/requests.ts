/** The requests that each framework's app answers: its page, a POST, an upload and a stream, in its own protocol. */
import { createHash, randomBytes } from "node:crypto";

export interface AppRequest {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
  /** A part of the right response. */
  readonly expected: RegExp | string;
}

export interface AppRequests {
  /** Names the process that answers, at the end of the match. */
  readonly page: AppRequest;
  echo(text: string): AppRequest;
  upload(): AppRequest;
  /** Undefined where the framework has no streams. */
  readonly stream: AppRequest | undefined;
}

/** More than nginx and the frameworks buffer. */
const UPLOAD_BYTES = 2 * 1024 * 1024;

const JSON_TYPE = { "content-type": "application/json" };

/** The routes that most of the projects have. */
export function webRequests(page: RegExp): AppRequests {
  return {
    page: { method: "GET", path: "/", expected: page },
    echo: (text) => posted("/echo", { text }, `"text":"${text}"`),
    upload: rawUpload,
    stream: { method: "GET", path: "/stream", expected: /piece 1.*piece 5/s },
  };
}

/** Apollo's standalone server: no uploads but long strings, and no streams. */
export const apolloRequests: AppRequests = {
  page: posted("/", { query: "{ page }" }, /Apollo page (\d+)/),
  echo: (text) => posted("/", { query: `{ echo(text: "${text}") }` }, `"echo":"${text}"`),
  upload: () => {
    const content = randomBytes(UPLOAD_BYTES / 2).toString("hex");
    const query = "mutation Upload($content: String!) { upload(content: $content) }";
    return posted("/", { query, variables: { content } }, digest(content));
  },
  stream: undefined,
};

export const yogaRequests: AppRequests = {
  page: posted("/graphql", { query: "{ page }" }, /Yoga page (\d+)/),
  echo: (text) => posted("/graphql", { query: `{ echo(text: "${text}") }` }, `"echo":"${text}"`),
  upload: () => {
    const content = randomBytes(UPLOAD_BYTES / 2).toString("hex");
    const operations = JSON.stringify({
      query: "mutation ($file: File!) { upload(file: $file) }",
      variables: { file: null },
    });
    const parts = [
      `--part\r\nContent-Disposition: form-data; name="operations"\r\n\r\n${operations}\r\n`,
      `--part\r\nContent-Disposition: form-data; name="map"\r\n\r\n{"0":["variables.file"]}\r\n`,
      `--part\r\nContent-Disposition: form-data; name="0"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\n${content}\r\n`,
      "--part--\r\n",
    ];
    return {
      method: "POST",
      path: "/graphql",
      headers: { "content-type": "multipart/form-data; boundary=part" },
      body: Buffer.from(parts.join("")),
      expected: digest(content),
    };
  },
  stream: {
    method: "GET",
    path: `/graphql?query=${encodeURIComponent("subscription { piece }")}`,
    headers: { accept: "text/event-stream" },
    expected: /"piece":1.*"piece":5/s,
  },
};

export const trpcRequests: AppRequests = {
  page: { method: "GET", path: "/page", expected: /tRPC page (\d+)/ },
  echo: (text) => posted("/echo", { text }, `"text":"${text}"`),
  upload: rawUpload,
  stream: {
    method: "GET",
    path: "/stream",
    headers: { accept: "text/event-stream" },
    expected: /piece 1.*piece 5/s,
  },
};

function rawUpload(): AppRequest {
  const body = randomBytes(UPLOAD_BYTES);
  const headers = { "content-type": "application/octet-stream" };
  return { method: "POST", path: "/upload", headers, body, expected: digest(body) };
}

function posted(path: string, content: object, expected: RegExp | string): AppRequest {
  return { method: "POST", path, headers: JSON_TYPE, body: Buffer.from(JSON.stringify(content)), expected };
}

function digest(content: Buffer | string): string {
  return createHash("sha256").update(content).digest("hex");
}
