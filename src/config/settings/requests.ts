/** Settings that limit requests: their size and their time. */
import { urlPaths } from "../network-kind.ts";
import { count, duration, durationOrNone, size } from "../number-kind.ts";
import { setting } from "./setting.ts";

export const requestSettings = {
  limitRequestLine: setting({
    section: "Limits",
    kind: count(0, 65535),
    // nginx's default limit (large_client_header_buffers 4 8k); gunicorn's is 4094.
    default: 8190,
    reload: true,
    doc: "The maximum length of a request line in bytes; a longer one is answered with 414. 0 is no limit.",
  }),
  limitRequestFields: setting({
    section: "Limits",
    kind: count(1, 32768),
    default: 100,
    reload: true,
    doc: "The maximum number of header fields in a request; more are answered with 431.",
  }),
  limitRequestFieldSize: setting({
    section: "Limits",
    kind: size(),
    // nginx joins all cookies of an HTTP/2 request into one field, up to 32 kB; gunicorn's default is 8190.
    default: 32_768,
    flags: ["--limit-request-field_size"],
    reload: true,
    doc: "The maximum size of a header field in bytes; a larger one is answered with 431. 0 is no limit.",
  }),
  limitRequestBody: setting({
    section: "Limits",
    kind: size(),
    default: 0,
    reload: true,
    doc: "The maximum size of a request body, such as 10MB; a larger one is answered with 413. 0 is no limit.",
  }),
  maxInFlight: setting({
    section: "Limits",
    kind: count(0),
    default: 0,
    reload: true,
    doc: "The number of requests that a worker handles at once; more wait in a queue (--max-queue, --queue-timeout), and what exceeds that is answered with 503 and Retry-After at once. A WebSocket counts until its handshake. See docs/overload.md. 0 is no limit.",
  }),
  maxQueue: setting({
    section: "Limits",
    kind: count(0),
    default: undefined,
    defaultDoc: "as many as --max-in-flight",
    reload: true,
    doc: "The number of requests that may wait for a place of --max-in-flight; more are answered with 503. 0 lets none wait.",
  }),
  queueTimeout: setting({
    section: "Timeouts",
    kind: duration(),
    default: 2000,
    reload: true,
    doc: "How long a request may wait for a place of --max-in-flight; then it is answered with 503. The time counts from X-Request-Start if a trusted proxy sends it, else from the request's arrival. 0 is no limit.",
  }),
  neverShed: setting({
    section: "Limits",
    kind: urlPaths,
    default: [],
    reload: true,
    doc: "Paths whose requests neither wait for a place of --max-in-flight nor take one, separated by commas: the application's own health check, for example.",
  }),
  keepAliveRequests: setting({
    section: "Limits",
    kind: count(0),
    default: 0,
    reload: true,
    doc: "The number of requests that a connection may carry (nginx: keepalive_requests); the response to the last one says that the connection is closed. A server that the application makes listen keeps its own maxRequestsPerSocket unless this is given. 0 is no limit.",
  }),
  headerTimeout: setting({
    section: "Timeouts",
    kind: duration(),
    default: 30_000,
    reload: true,
    doc: "How long a client may take to send a request head; then it is answered with 408. 0 is no limit.",
  }),
  bodyTimeout: setting({
    section: "Timeouts",
    kind: duration(),
    default: 60_000,
    reload: true,
    doc: "How long a request body may stall while it is being read, and a response while the client does not read it. 0 is no limit.",
  }),
  bodyTotalTimeout: setting({
    section: "Timeouts",
    kind: duration(),
    default: 0,
    reload: true,
    doc: "How long a client may take to send a whole request body; then it is answered with 408. Time in which the application does not read is not counted. 0 is no limit.",
  }),
  bodyMinRate: setting({
    section: "Timeouts",
    kind: size(),
    default: 240,
    reload: true,
    doc: "The minimum rate of a request body in bytes per second while it is being read, averaged over --body-timeout; a slower one is answered with 408. 0 is no minimum: for clients that stream a little at a time.",
  }),
  responseMinRate: setting({
    section: "Timeouts",
    kind: size(),
    default: 240,
    reload: true,
    doc: "The minimum rate in bytes per second at which a client must take a response that waits for it, averaged over --body-timeout; the connection of a slower one is closed. 0 is no minimum.",
  }),
  requestTimeout: setting({
    section: "Timeouts",
    kind: duration(),
    // The same as gunicorn's worker, and less than a proxy in front waits (nginx: 60s), so that the server, which knows
    // what took so long, responds first and logs it.
    default: 30_000,
    reload: true,
    doc: "How long the application may take from the complete request to the head of its response; then the client gets 503 and the application is notified. A started stream is not cut; request.extend() gives one request more time. 0 is no limit.",
  }),
  keepAlive: setting({
    section: "Timeouts",
    kind: duration(),
    default: 75_000,
    reload: true,
    doc: "How long an idle connection is kept open. Must be longer than a proxy in front keeps it (nginx: 60s). 0 closes it after each response.",
  }),
  timeout: setting({
    section: "Timeouts",
    kind: durationOrNone(1000),
    default: 30_000,
    flags: ["-t"],
    reload: true,
    doc: "How long a worker's event loop may be blocked before the worker is killed; after half of that, the stack is logged. 0 is no limit.",
  }),
  bootTimeout: setting({
    section: "Timeouts",
    kind: duration(1),
    default: 60_000,
    reload: true,
    doc: "How long a worker may take to load and start the application, and an awaited hook of the arbiter to finish.",
  }),
  gracefulTimeout: setting({
    section: "Timeouts",
    kind: duration(),
    default: 30_000,
    reload: true,
    doc: "How long a stopping worker may take to finish its requests. Then they are cut, and the app has 5s to shut down before the worker is killed.",
  }),
  drainDelay: setting({
    section: "Timeouts",
    kind: duration(),
    default: 0,
    reload: false,
    doc: "How long the server keeps serving after TERM, while it reports that it is not ready, before it drains. For load balancers that check at intervals.",
  }),
  linger: setting({
    section: "Timeouts",
    kind: duration(),
    default: 1500,
    reload: true,
    doc: "How long a stopping worker still responds on idle connections, in case a proxy is just reusing one.",
  }),
} as const;
