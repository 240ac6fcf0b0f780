/** Responses of every framing, by a gateway app and by a node listener, and how a reader must understand each. */
import type { RequestListener } from "node:http";
import type { Handler } from "../../../src/gateway/types.ts";

export interface ResponseKind {
  readonly status: number;
  /** The content of a GET, as Latin-1; undefined if the response breaks off, so that no reader may take it for complete. */
  readonly body: string | undefined;
  /** Where a node listener's differs. */
  readonly nodeBody?: string;
  readonly gateway: Handler;
  readonly node: RequestListener;
}

/** Content that looks like the end of a response and the next one. */
const SPLITTING = "0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad";
const LONG = "0123456789abcdef".repeat(16_384);

async function* pieces(...all: string[]): AsyncGenerator<string> {
  for (const piece of all) {
    yield piece;
    await new Promise(setImmediate);
  }
}

async function* broken(): AsyncGenerator<string> {
  yield "part";
  await new Promise(setImmediate);
  throw new Error("the source breaks off");
}

function text(content: string): Pick<ResponseKind, "status" | "body" | "gateway" | "node"> {
  return {
    status: 200,
    body: content,
    gateway: (_request, respond) => respond(200, {}, content),
    node: (_request, response) => void response.end(content),
  };
}

function bodiless(status: number): ResponseKind {
  return {
    status,
    body: "",
    gateway: (_request, respond) => respond(status, { etag: '"a"' }, null),
    node: (_request, response) => void response.writeHead(status, { etag: '"a"' }).end(),
  };
}

export const KINDS: Readonly<Record<string, ResponseKind>> = {
  text: text("hello"),
  empty: text(""),
  splitting: text(SPLITTING),
  long: text(LONG),
  "no-content": bodiless(204),
  "not-modified": bodiless(304),
  stream: {
    status: 200,
    body: `one${SPLITTING}two`,
    gateway: (_request, respond) => respond(200, {}, pieces("one", "", SPLITTING, "two")),
    node: async (_request, response) => {
      for await (const piece of pieces("one", "", SPLITTING, "two")) response.write(piece);
      response.end();
    },
  },
  trailers: {
    status: 200,
    body: "content",
    gateway: async (_request, respond) => {
      const writer = respond(200, { trailer: "x-sum" });
      await writer.write("con");
      await writer.end("tent", { "x-sum": "1" });
    },
    node: (request, response) => {
      // Node allows trailers only where there is content.
      if (request.method === "HEAD") return void response.end();
      response.writeHead(200, { trailer: "x-sum" });
      response.write("con");
      response.addTrailers({ "x-sum": "1" });
      response.end("tent");
    },
  },
  hints: {
    status: 200,
    body: "hinted",
    gateway: (_request, respond) => {
      respond.informational(103, { link: "</a.css>; rel=preload" });
      respond(200, {}, "hinted");
    },
    node: (_request, response) => {
      response.writeEarlyHints({ link: "</a.css>; rel=preload" });
      response.end("hinted");
    },
  },
  error: {
    status: 500,
    body: "500 Internal Server Error\n",
    nodeBody: "Internal Server Error\n",
    gateway: () => {
      throw new Error("the app fails");
    },
    node: () => {
      throw new Error("the app fails");
    },
  },
  "breaks-off": {
    status: 200,
    body: undefined,
    gateway: (_request, respond) => respond(200, {}, broken()),
    node: async (_request, response) => {
      for await (const piece of broken()) response.write(piece);
    },
  },
  "breaks-off-sized": {
    status: 200,
    body: undefined,
    gateway: (_request, respond) => respond(200, { "content-length": 100 }, broken()),
    node: async (_request, response) => {
      response.setHeader("content-length", 100);
      for await (const piece of broken()) response.write(piece);
    },
  },
  destroyed: {
    status: 200,
    body: undefined,
    gateway: async (_request, respond) => {
      const writer = respond(200, {});
      await writer.write("part");
      writer.destroy();
    },
    node: (_request, response) => {
      response.write("part", () => response.destroy());
    },
  },
};

export const gatewayApp: Handler = (request, respond) => kindOf(request.path).gateway(request, respond);

export const nodeApp: RequestListener = (request, response) =>
  kindOf(request.url ?? "").node(request, response);

function kindOf(path: string): ResponseKind {
  const kind = KINDS[path.slice(1)];
  if (kind === undefined) throw new Error(`no kind ${path}`);
  return kind;
}
