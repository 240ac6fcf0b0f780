/** Exports spans to a file in OTLP's JSON, a line each time: the form of OpenTelemetry's file exporter. */
import { appendFile } from "node:fs/promises";
import { JsonTraceSerializer } from "@opentelemetry/otlp-transformer";
import type { ReadableSpan, SpanExporter } from "@opentelemetry/sdk-trace-node";

type Done = Parameters<SpanExporter["export"]>[1];

export class OtlpFileExporter implements SpanExporter {
  readonly #file: string;
  #writing: Promise<void> = Promise.resolve();

  constructor(file: string) {
    this.#file = file;
  }

  export(spans: ReadableSpan[], done: Done): void {
    const line = Buffer.from(JsonTraceSerializer.serializeRequest(spans) ?? "").toString();
    this.#writing = this.#writing.then(() => appendFile(this.#file, `${line}\n`));
    this.#writing.then(
      () => done({ code: 0 }),
      (error: Error) => done({ code: 1, error }),
    );
  }

  async shutdown(): Promise<void> {
    await this.#writing;
  }
}
