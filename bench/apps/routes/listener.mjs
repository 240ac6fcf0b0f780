import { once } from "node:events";
import { block, contentOf, HUNDRED_MEGABYTES, hundredMegabytes, pieces } from "./content.mjs";

const BYTES = "application/octet-stream";

async function sendAll(response, source) {
  for await (const piece of source) if (!response.write(piece)) await once(response, "drain");
  response.end();
}

function send(response, type, content) {
  response.writeHead(200, { "content-type": type, "content-length": Buffer.byteLength(content) });
  response.end(content);
}

const ROUTES = {
  "/pieces": (_request, response) => {
    response.setHeader("content-type", "text/plain");
    return sendAll(response, pieces());
  },
  "/100m": (_request, response) => {
    response.writeHead(200, { "content-type": BYTES, "content-length": HUNDRED_MEGABYTES });
    return sendAll(response, hundredMegabytes());
  },
  "/pid": (_request, response) => send(response, "text/plain", `${process.pid}`),
  "/block": (request, response) => {
    block(Number(request.url.split("?")[1]));
    send(response, "text/plain", "done");
  },
  "/post": (request, response) => {
    let text = "";
    request.setEncoding("utf8").on("data", (chunk) => {
      text += chunk;
    });
    request.on("end", () => {
      const { items } = JSON.parse(text);
      send(response, "application/json", JSON.stringify({ ok: true, items: items.length }));
    });
  },
  "/upload": (request, response) => {
    let length = 0;
    request.on("data", (chunk) => {
      length += chunk.length;
    });
    request.on("end", () => send(response, "text/plain", `${length}`));
  },
};

export const listener = (request, response) => {
  const path = request.url.split("?")[0];
  const route = ROUTES[path];
  if (route !== undefined) return route(request, response);
  const content = contentOf(path);
  if (content !== undefined) return send(response, BYTES, content);
  response.statusCode = 404;
  response.end();
};
