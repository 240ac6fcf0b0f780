/** Settings that limit requests: their size and their time. */
import { count, duration, durationOrNone, size } from "../number-kind.ts";
import { setting } from "./setting.ts";

export const requestSettings = {
  limitRequestLine: setting({
    section: "Limits",
    kind: count(0, 65535),
    // nginx's default limit (large_client_header_buffers 4 8k); gunicorn's is 4094.
    default: 8190,
    reload: true,
    doc: "The longest request line, in bytes; a longer one is answered with 414. 0 is no limit.",
  }),
  limitRequestFields: setting({
    section: "Limits",
    kind: count(1, 32768),
    default: 100,
    reload: true,
    doc: "The most header fields of a request; more are answered with 431.",
  }),
  limitRequestFieldSize: setting({
    section: "Limits",
    kind: size(),
    // nginx joins all cookies of an HTTP/2 request into one field, up to 32 kB; gunicorn's default is 8190.
    default: 32_768,
    flags: ["--limit-request-field_size"],
    reload: true,
    doc: "The longest header field, in bytes; a longer one is answered with 431. 0 is no limit.",
  }),
  limitRequestBody: setting({
    section: "Limits",
    kind: size(),
    default: 0,
    reload: true,
    doc: "The most content of a request, such as 10MB; more is answered with 413. 0 is no limit.",
  }),
  headerTimeout: setting({
    section: "Timeouts",
    kind: duration(),
    default: 30_000,
    reload: true,
    doc: "How long a client may take to send the head of a request, before it is answered with 408. 0 is no limit.",
  }),
  bodyTimeout: setting({
    section: "Timeouts",
    kind: duration(),
    default: 60_000,
    reload: true,
    doc: "How long the content of a request may stand still while it is read, and an answer while the client takes nothing of it. 0 is no limit.",
  }),
  bodyTotalTimeout: setting({
    section: "Timeouts",
    kind: duration(),
    default: 0,
    reload: true,
    doc: "How long a client may take to send all the content of a request, before it is answered with 408. Time in which the application does not read does not count. 0 is no limit.",
  }),
  bodyMinRate: setting({
    section: "Timeouts",
    kind: size(),
    default: 240,
    reload: true,
    doc: "How many bytes a second the content of a request must come with while it is read, on average over --body-timeout; slower is answered with 408. 0 is any: for clients that stream a little at a time.",
  }),
  requestTimeout: setting({
    section: "Timeouts",
    kind: duration(),
    // The same as gunicorn's worker, and less than a proxy in front waits (nginx: 60s), so that the server, which knows
    // what took so long, responds first and logs it.
    default: 30_000,
    reload: true,
    doc: "How long the application may take from the whole request to the head of its answer, before the client gets 503 and the application is told. A stream that has begun is not cut. 0 is no limit.",
  }),
  keepAlive: setting({
    section: "Timeouts",
    kind: duration(),
    default: 75_000,
    reload: true,
    doc: "How long an idle connection is kept. More than a proxy in front keeps it (nginx: 60s). 0 keeps none.",
  }),
  timeout: setting({
    section: "Timeouts",
    kind: durationOrNone(1000),
    default: 30_000,
    flags: ["-t"],
    reload: true,
    doc: "How long a worker's event loop may stand still before the worker is killed; where it stands is logged after half of that. 0 lets it stand for ever.",
  }),
  bootTimeout: setting({
    section: "Timeouts",
    kind: duration(1),
    default: 60_000,
    reload: true,
    doc: "How long a worker may take to load the application and start it, and a hook of the arbiter that is awaited.",
  }),
  gracefulTimeout: setting({
    section: "Timeouts",
    kind: duration(),
    default: 30_000,
    reload: true,
    doc: "How long a worker that is told to stop may finish what it has. What is left then is cut, and the app has 5 s to shut down before the worker is killed.",
  }),
  drainDelay: setting({
    section: "Timeouts",
    kind: duration(),
    default: 0,
    reload: false,
    doc: "How long the server serves on after TERM, saying that it is not ready, before it drains. For load balancers that take a while to look.",
  }),
  linger: setting({
    section: "Timeouts",
    kind: duration(),
    default: 1500,
    reload: true,
    doc: "How long a stopping worker still answers on idle connections, for a proxy that is just reusing one.",
  }),
} as const;
