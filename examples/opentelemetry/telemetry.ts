/** A span for each request, out of tsgun's diagnostics channels. Nothing is patched, and the app knows nothing of it. */
import { AsyncLocalStorage } from "node:async_hooks";
import { channel, subscribe } from "node:diagnostics_channel";
import {
  type Context,
  type ContextManager,
  defaultTextMapGetter,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import { BatchSpanProcessor, ConsoleSpanExporter, NodeTracerProvider } from "@opentelemetry/sdk-trace-node";
import type { RequestMessage, WorkerMessage } from "tsgun";
import { OtlpFileExporter } from "./otlp-file.ts";

/** The current context. tsgun runs the app in the stores that are bound to the channel of the start. */
const contexts = new AsyncLocalStorage<Context>();

class RequestContexts implements ContextManager {
  active(): Context {
    return contexts.getStore() ?? ROOT_CONTEXT;
  }

  with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    context: Context,
    call: F,
    self?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    return contexts.run(context, () => call.apply(self, args));
  }

  bind<T>(context: Context, target: T): T {
    if (typeof target !== "function") return target;
    return ((...args: unknown[]) => contexts.run(context, () => target(...args) as unknown)) as T;
  }

  enable(): this {
    return this;
  }

  disable(): this {
    return this;
  }
}

const spans = new WeakMap<RequestMessage, Span>();
let provider: NodeTracerProvider | undefined;

export function startTelemetry(): void {
  const file = process.env.SPANS_FILE;
  const exporter = file === undefined ? new ConsoleSpanExporter() : new OtlpFileExporter(file);
  provider = new NodeTracerProvider({ spanProcessors: [new BatchSpanProcessor(exporter)] });
  // Its propagator reads and writes traceparent.
  provider.register({ contextManager: new RequestContexts() });
  const tracer = trace.getTracer("tsgun");

  channel("tsgun:request:start").bindStore(contexts, (message) => {
    const request = message as RequestMessage;
    const parent = propagation.extract(ROOT_CONTEXT, request.headers, defaultTextMapGetter);
    const { method, target, id } = request;
    const [path] = target.split("?");
    const attributes = { "http.request.method": method, "url.path": path, "request.id": id };
    const span = tracer.startSpan(method, { kind: SpanKind.SERVER, attributes }, parent);
    spans.set(request, span);
    return trace.setSpan(parent, span);
  });
  subscribe("tsgun:request:error", (message) => {
    const { error } = message as RequestMessage;
    const span = spans.get(message as RequestMessage);
    if (error !== undefined) span?.recordException(error);
    span?.setStatus({ code: SpanStatusCode.ERROR, message: error?.message ?? "" });
  });
  subscribe("tsgun:request:end", (message) => {
    const { status } = message as RequestMessage;
    const span = spans.get(message as RequestMessage);
    if (status !== undefined) span?.setAttribute("http.response.status_code", status);
    span?.end();
  });
  subscribe("tsgun:worker:drain", (message) => {
    const { pid } = message as WorkerMessage;
    tracer.startSpan("drain", { attributes: { "process.pid": pid } }).end();
  });
}

/** Exports what is left. */
export async function stopTelemetry(): Promise<void> {
  await provider?.shutdown();
}
