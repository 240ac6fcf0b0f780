/** The load against servers that misbehave in every way that it must notice, and against a correct one. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { temporaryFolder } from "./command.ts";
import { mirrored } from "./exchanges.ts";
import { freePort } from "./free-port.ts";
import { type Counts, Load, type LoadOptions, type Target } from "./load.ts";

async function listen(context: TestContext, server: Server, path?: string): Promise<Target> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => sockets.add(socket));
  if (path === undefined) server.listen(0, "127.0.0.1");
  else server.listen(path);
  await once(server, "listening");
  context.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return path === undefined ? { port: (server.address() as AddressInfo).port } : { path };
}

/** Does something with the connection for the nth request on it, given its target. */
type Answer = (socket: Socket, target: string, nth: number) => void;

/** A server that calls `act` for every complete GET request. */
function misbehave(context: TestContext, answer: Answer): Promise<Target> {
  const server = createServer((socket) => {
    let nth = 0;
    let held = "";
    socket.on("error", () => {});
    socket.setEncoding("latin1");
    socket.on("data", (text: string) => {
      held += text;
      if (!held.endsWith("\r\n\r\n")) return;
      const target = /^GET (\S+) /.exec(held)?.[1] ?? "";
      held = "";
      nth += 1;
      answer(socket, target, nth);
    });
  });
  return listen(context, server);
}

function right(target: string, fields = ""): string {
  const body = `GET ${target}\n`;
  return `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n${fields}\r\n${body}`;
}

async function load(target: Target, options: Partial<LoadOptions> = {}): Promise<Load> {
  const made = new Load(target, {
    mode: "keep-alive",
    make: mirrored({ methods: ["GET"] }),
    clients: 2,
    requests: 10,
    timeout: 2000,
    ...options,
  });
  await made.finished();
  return made;
}

const NOTHING: Counts = {
  sent: 0,
  answered: 0,
  refused: 0,
  reset: 0,
  wrong: 0,
  truncated: 0,
  timedOut: 0,
  closedIdle: 0,
};

/** Every one of its ten requests fails in the same way, and the words say how. */
async function allFail(target: Target, kind: "reset" | "wrong" | "truncated", words: RegExp): Promise<void> {
  const made = await load(target);
  assert.deepEqual(made.counts, { ...NOTHING, sent: 10, [kind]: 10 }, made.report());
  assert.match(made.failures[0]?.text ?? "", words);
  assert.match(made.failures[0]?.text ?? "", /GET \/request\/\d/);
  assert.throws(() => made.assertNothingLost(0));
}

describe("a load on a correct server", () => {
  const variants = (["keep-alive", "close"] as const).flatMap((mode) =>
    (["TCP", "Unix"] as const).map((where) => ({ mode, where })),
  );
  for (const { mode, where } of variants) {
    test(`${mode} over ${where}: every response counts`, async (context) => {
      const server = createHttpServer(async (request, response) => {
        const pieces: Buffer[] = [Buffer.from(`${request.method} ${request.url}\n`)];
        for await (const piece of request) pieces.push(piece as Buffer);
        // Half of the answers in chunks.
        if (Number(request.headers["x-number"]) % 4 < 2) for (const piece of pieces) response.write(piece);
        response.end(response.headersSent ? undefined : Buffer.concat(pieces));
      });
      const path = where === "Unix" ? join(temporaryFolder(context), "s") : undefined;
      const target = await listen(context, server, path);
      const made = await load(target, { mode, make: mirrored(), clients: 8, requests: 400 });
      assert.deepEqual(made.counts, { ...NOTHING, sent: 400, answered: 400 }, made.report());
      made.assertNothingLost(400);
      assert.throws(() => made.assertNothingLost(401));
    });
  }
});

describe("a load notices", () => {
  test("a connection that is refused", async () => {
    const made = await load({ port: await freePort() });
    assert.deepEqual(made.counts, { ...NOTHING, refused: 10 });
    assert.match(made.failures[0]?.text ?? "", /ECONNREFUSED/);
  });

  test("a reset before and within the response", async (context) => {
    await allFail(await misbehave(context, (socket) => socket.resetAndDestroy()), "reset", /ECONNRESET/);
    const half = await misbehave(context, (socket) =>
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1", () =>
        setTimeout(() => socket.resetAndDestroy(), 20),
      ),
    );
    await allFail(half, "reset", /ECONNRESET.*1 bytes of content/);
  });

  test("a request on a connection that the server ends", async (context) => {
    await allFail(await misbehave(context, (socket) => socket.end()), "truncated", /nothing of the answer/);
  });

  const truncated: Record<string, string> = {
    "in the head": "HTTP/1.1 200 OK\r\nContent-Le",
    "in sized content": "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n123456789",
    "in a chunk": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n12345",
    "between two chunks": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n12\r\n",
    "before the last chunk's end": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n12\r\n0\r\n",
    "after an informational answer": "HTTP/1.1 103 Early Hints\r\n\r\n",
  };
  for (const [where, bytes] of Object.entries(truncated)) {
    test(`an answer that is cut off ${where}`, async (context) => {
      const target = await misbehave(context, (socket) => socket.end(bytes));
      await allFail(target, "truncated", /the server closed the connection/);
    });
  }

  const wrong: Record<string, [(target: string) => string, RegExp]> = {
    "of another status": [
      () => "HTTP/1.1 502 Bad Gateway\r\nServer: x\r\nContent-Length: 0\r\n\r\n",
      /502 \(x\)/,
    ],
    "to another request": [() => right("/request/99"), /from byte/],
    "with a byte changed": [(target) => right(target).replace(/\n$/, "!"), /from byte/],
    "with a byte missing": [(target) => right(target.slice(0, -1)), /from byte/],
    "without a length": [() => "HTTP/1.1 200 OK\r\n\r\n", /neither/],
    "with two lengths": [(target) => right(target, "Content-Length: 1\r\n"), /more than one/],
    "with a length and chunks": [
      (target) => right(target, "Transfer-Encoding: chunked\r\n"),
      /more than one/,
    ],
    "with bytes after it": [(target) => `${right(target)}HTTP/1.1 400 Bad Request\r\n`, /after the answer/],
    "that is none": [() => "<html>\r\n\r\n", /no status line/],
    "with a bad chunk": [() => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n123\r\n", /chunk/],
    "with a bad field": [() => "HTTP/1.1 200 OK\r\nContent Length: 3\r\n\r\n123", /no header field/],
  };
  for (const [what, [bytes, words]] of Object.entries(wrong)) {
    test(`an answer ${what}`, async (context) => {
      const target = await misbehave(context, (socket, asked) => socket.write(bytes(asked)));
      await allFail(target, "wrong", words);
    });
  }

  test("bytes without a request", async (context) => {
    let first: Socket | undefined;
    const target = await misbehave(context, (socket, asked) => {
      first ??= socket;
      socket.write(right(asked));
    });
    const before = async (): Promise<void> => {
      if (first?.writable !== true) return;
      // The client ends its side when it has read to the end.
      const read = once(first, "close");
      first.end("HTTP/1.1 408 Request Timeout\r\n");
      await read;
    };
    const made = await load(target, { clients: 1, requests: 2, before });
    assert.deepEqual(made.counts, { ...NOTHING, sent: 2, answered: 2, wrong: 1 }, made.report());
    assert.match(made.failures[0]?.text ?? "", /without a request.*408/);
  });

  test("a missing or incomplete response", async (context) => {
    const silent = await misbehave(context, () => {});
    const made = await load(silent, { requests: 2, timeout: 100 });
    assert.deepEqual(made.counts, { ...NOTHING, sent: 2, timedOut: 2 });
    const half = await misbehave(context, (socket, asked) => socket.write(right(asked).slice(0, -1)));
    const other = await load(half, { requests: 2, timeout: 100 });
    assert.deepEqual(other.counts, { ...NOTHING, sent: 2, timedOut: 2 });
  });

  test("a response without the requested Connection: close", async (context) => {
    const target = await misbehave(context, (socket, asked) => socket.end(right(asked)));
    const made = await load(target, { mode: "close" });
    assert.deepEqual(made.counts, { ...NOTHING, sent: 10, wrong: 10 });
  });
});

describe("a load accepts what a server may do", () => {
  test("a closed idle connection is counted separately, and a new one is opened", async (context) => {
    let over: Promise<unknown> | undefined;
    const target = await misbehave(context, (socket, asked) => {
      // The client ends its side when it has seen the end.
      over = once(socket, "close");
      socket.end(right(asked));
    });
    const made = await load(target, { clients: 1, requests: 4, before: async () => await over });
    assert.deepEqual(made.counts, { ...NOTHING, sent: 4, answered: 4, closedIdle: 3 }, made.report());
  });

  test("nothing more is sent after Connection: close", async (context) => {
    let misused = 0;
    const target = await misbehave(context, (socket, asked, nth) => {
      if (nth > 1) misused += 1;
      socket.write(right(asked, "Connection: close\r\n"));
    });
    const made = await load(target);
    assert.deepEqual(made.counts, { ...NOTHING, sent: 10, answered: 10 }, made.report());
    assert.equal(misused, 0);
  });

  test("interim responses precede the response", async (context) => {
    const target = await misbehave(context, (socket, asked) =>
      socket.write(`HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${right(asked)}`),
    );
    (await load(target)).assertNothingLost(10);
  });
});

describe("a load is bounded", () => {
  test("by its rate, and stops on request", async (context) => {
    const times: number[] = [];
    const target = await misbehave(context, (socket, asked) => {
      times.push(performance.now());
      socket.write(right(asked));
    });
    const make = mirrored({ methods: ["GET"] });
    const began = performance.now();
    const made = new Load(target, { mode: "keep-alive", make, clients: 4, rate: 100 });
    await made.more(20);
    await made.stop();
    const [last = 0] = times.slice(19);
    // The 20th is due 190 ms after the load began, no matter how late the first ones were; a timer may be early by 1 ms.
    assert.ok(last - began >= 188, `20 requests within ${last - began} ms`);
    const { sent } = made.counts;
    await assert.rejects(made.more(1, 50), /1 of 1 answers did not come/);
    assert.equal(made.counts.sent, sent);
  });

  test("and names the workers that respond", async (context) => {
    const target = await misbehave(context, (socket, asked) =>
      socket.write(right(asked, "X-Worker: 42\r\n")),
    );
    const made = await load(target);
    assert.deepEqual([...made.workers], [[42, 10]]);
  });
});
