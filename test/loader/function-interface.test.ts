import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { functionInterface } from "../../src/loader/function-interface.ts";
import { parameterNames } from "../../src/loader/parameters.ts";

type AnyFunction = (...args: never[]) => unknown;

/** Compiled from text, as the runtime sees it: no compiler has touched it. */
function made(text: string): AnyFunction {
  return new Function(`"use strict"; return (${text});`)() as AnyFunction;
}

describe("names of parameters", () => {
  const cases: [text: string, names: string[] | undefined][] = [
    ["(req, res) => app(req, res)", ["req", "res"]],
    ["request => new Response()", ["request"]],
    ["async request => new Response()", ["request"]],
    ["async function handler(req, res, next) {}", ["req", "res", "next"]],
    ["function* (a, b) {}", ["a", "b"]],
    ["({ url }, res) => {}", ["", "res"]],
    ["([first, second] = [1, 2], res = {}) => {}", ["", "res"]],
    ["(req /* the request, always */, res) => {}", ["req", "res"]],
    ["(\n  // the request (of node)\n  req,\n  res,\n) => {}", ["req", "res"]],
    ['(req, text = "), (", options = { a: [1, 2] }) => {}', ["req", "text", "options"]],
    ["(...args) => app(...args)", ["...args"]],
    ["() => {}", []],
    ["({ async handle(request, respond) {} }).handle", ["request", "respond"]],
    ['({ ["a(b)"](request, respond) {} })["a(b)"]', ["request", "respond"]],
    ["(a, b) => {}", ["a", "b"]],
    ["(function (req, res) {}).bind(null)", undefined],
    ["Math.max", undefined],
  ];

  for (const [text, names] of cases) {
    test(text.replaceAll(/\s+/g, " "), () => assert.deepEqual(parameterNames(made(text)), names));
  }
});

describe("the interface of a function", () => {
  const cases: [text: string, found: string, isGuess: boolean][] = [
    // Exports that people write.
    ["(req, res) => app(req, res)", "node", false],
    ["async (req, res) => { await handle(req, res) }", "node", false],
    ["async (incoming, outgoing) => {}", "node", false],
    ["(req, res, next) => {}", "node", false],
    ["async function requestHandler(request, initialContext) {}", "fetch", false],
    ["async (request, env, ctx) => new Response()", "fetch", false],
    ["(req, info) => new Response()", "fetch", false],
    ["(request) => new Response()", "fetch", false],
    ["({ url }) => new Response(url)", "fetch", false],
    ["(request, respond) => respond(200)", "gateway", false],
    ["async (request, respond) => {}", "gateway", false],
    ["(_req, _res) => {}", "node", false],
    ["(req2, res2) => {}", "node", false],
    // The result of a minifier.
    ["(e, t) => { t.statusCode = 200; t.end() }", "node", false],
    ["(e, t) => { t.writeHead(200).end() }", "node", false],
    ["(e, t) => t(200, [], e.path)", "gateway", false],
    ["(e, t, n) => { x(e, t, n) }", "node", true],
    ["(e, t) => x(e, t)", "gateway", true],
    ["(...args) => app(...args)", "gateway", true],
    ["(function (req, res) {}).bind(null)", "gateway", true],
    ["(function (request) {}).bind(null)", "fetch", true],
    // A second parameter that only looks like one of node's.
    ["(request, reply) => { const reply2 = {}; reply2.end; reply(200) }", "gateway", false],
    ["(request, t) => { other.t.end(); return x(request, t) }", "gateway", true],
  ];

  for (const [text, found, isGuess] of cases) {
    test(`${text} is ${isGuess ? "guessed to be " : ""}${found}`, () =>
      assert.deepEqual(functionInterface(made(text)), { interface: found, isGuess }));
  }
});
