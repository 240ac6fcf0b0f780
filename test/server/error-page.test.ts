/** The error page: shown to the client with `--show-errors`, otherwise the error is only logged. */
import assert from "node:assert/strict";
import { request } from "node:http";
import { test } from "node:test";
import { errorPageOf, renderErrorPage } from "../../src/server/error-page.ts";
import { startCommand } from "../support/command.ts";

const TITLE = "500 Internal Server Error";

test("renders text with the stack and the causes", () => {
  const error = new TypeError("no <such> thing", { cause: new Error("the disk is full") });
  const { type, content } = renderErrorPage(errorPageOf(TITLE, error), "*/*");
  assert.equal(type, "text/plain; charset=utf-8");
  assert.match(
    content,
    /^500 Internal Server Error\n\nTypeError: no <such> thing\n +at .*error-page\.test\.ts/,
  );
  assert.match(content, /the disk is full/);
});

test("renders HTML for a browser, with the error escaped", () => {
  const error = new Error('<script>alert("1")</script>');
  const { type, content } = renderErrorPage(
    errorPageOf(TITLE, error),
    "text/html,application/xhtml+xml,*/*;q=0.8",
  );
  assert.equal(type, "text/html; charset=utf-8");
  assert.match(content, /^<!doctype html>/);
  assert.doesNotMatch(content, /<script/);
  assert.match(content, /&#60;script&#62;/);
});

const APPS = [
  ["a gateway app", "pool/throws-in-request.mjs"],
  ["a node listener", "pool/throws-in-listener.cjs"],
] as const;

for (const [what, app] of APPS) {
  test(`an error of ${what} is shown with --show-errors`, async (context) => {
    const command = startCommand(context, [app, "--show-errors", "-b", "127.0.0.1:0"]);
    await command.ready();
    const answer = await ask(await command.port(), "text/html");
    assert.equal(answer.status, 500);
    assert.equal(answer.type, "text/html; charset=utf-8");
    assert.match(answer.text, /<h2>Error: a secret of the house/);
    assert.match(answer.text, /throws-in-(?:request|listener)\.[mc]js:\d+/);
  });

  test(`an error of ${what} is hidden by default`, async (context) => {
    const command = startCommand(context, [app, "-b", "127.0.0.1:0"], { env: { NODE_ENV: "development" } });
    await command.ready();
    for (const accept of ["text/html", "*/*"]) {
      const answer = await ask(await command.port(), accept);
      assert.equal(answer.status, 500);
      assert.match(answer.text, /^(?:500 )?Internal Server Error\n$/);
    }
    await command.line(/a secret of the house/);
  });
}

function ask(port: number, accept: string): Promise<{ status?: number; type?: string; text: string }> {
  return new Promise((resolve, reject) => {
    request({ port, headers: { accept }, agent: false }, async (answer) => {
      let text = "";
      for await (const chunk of answer.setEncoding("utf8")) text += chunk;
      const { statusCode: status = 0, headers } = answer;
      resolve({ status, type: headers["content-type"] ?? "", text });
    })
      .on("error", reject)
      .end();
  });
}
