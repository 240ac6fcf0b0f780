/** Slow requests, sent on another machine by a client that does not retry. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Machine } from "./machine.ts";

export interface SlowAnswer {
  /** `METHOD PATH`. */
  readonly request: string;
  /** 0 if the connection was closed without a response. */
  readonly status: number;
}

/** Requests `/slow/1` to `/slow/COUNT`, by GET and by POST, all at once. */
export function askSlowly(machine: Machine, origin: string, count: number): Promise<SlowAnswer[]> {
  const numbers = Array.from({ length: count }, (_, at) => at + 1);
  const requests = numbers.flatMap((number) => [`GET /slow/${number}`, `POST /slow/${number}`]);
  return Promise.all(requests.map((request) => askOnce(machine, origin, request)));
}

async function askOnce(machine: Machine, origin: string, request: string): Promise<SlowAnswer> {
  const [method = "", path = ""] = request.split(" ");
  const content = method === "POST" ? ["--data", "once"] : [];
  const options = ["-s", "-m", "20", "-o", "/dev/null", "-w", "%{http_code}", ...content];
  const [program = "", ...words] = [...machine.enter(), "curl", ...options, `${origin}${path}`];
  const child = spawn(program, words, { stdio: ["ignore", "pipe", "inherit"] });
  let status = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    status += text;
  });
  await once(child, "close");
  return { request, status: Number(status) };
}
