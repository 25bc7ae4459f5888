/*
 * Spans, sent to a collector with OpenTelemetry's own SDK: OTLP over HTTP, as JSON. Loaded only where a
 * collector is configured. A collector that is gone or hangs costs spans, a bounded queue of memory and
 * one line in the log, and nothing else: exports run on their own time and are given up after theirs.
 */
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, TraceFlags, trace } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  AlwaysOnSampler,
  BatchSpanProcessor,
  type IdGenerator,
  RandomIdGenerator,
  type ReadableSpan,
  type SpanExporter,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import type { Logger } from "./logs.js";
import type { SpanOver, Traces } from "./traces.js";
import { VERSION } from "./version.js";
import { within } from "./within.js";

/** Spans are sent in batches, this long after the first of a batch, in milliseconds. */
const BATCH_MS = 1_000;
/** One export, with what the exporter repeats of it, may take this long, in milliseconds. */
const EXPORT_MS = 5_000;
/** An agent that ends waits this long for what it has not sent, in milliseconds. */
const CLOSE_MS = 1_000;
const BATCH_MAX = 128;

export interface OtlpOptions {
  readonly agentId: string;
  readonly hostId: string;
  /** URL of the collector's traces, e.g. "http://127.0.0.1:4318/v1/traces". */
  readonly endpoint: string;
  /** Spans that may wait; further ones are dropped. */
  readonly queueMax: number;
  readonly log: Logger;
}

export class OtlpTraces implements Traces {
  readonly #provider: TracerProvider;
  readonly #ids = new ChosenIds();

  constructor({ agentId, hostId, endpoint, queueMax, log }: OtlpOptions) {
    const exporter = new OTLPTraceExporter({ url: endpoint, timeoutMillis: EXPORT_MS });
    this.#provider = new TracerProvider({
      resource: resourceFromAttributes({
        "service.name": "ferry",
        "service.version": VERSION,
        "service.instance.id": agentId,
        "host.name": hostId,
      }),
      sampler: new AlwaysOnSampler(), // what is not sampled does not get here
      idGenerator: this.#ids,
      spanProcessors: [
        new BatchSpanProcessor({
          exporter: new TellingExporter(exporter, log),
          maxQueueSize: queueMax,
          maxExportBatchSize: Math.min(BATCH_MAX, queueMax),
          scheduledDelayMillis: BATCH_MS,
          exportTimeoutMillis: EXPORT_MS,
        }),
      ],
    });
  }

  span(over: SpanOver): void {
    const { name, parent, startedAtMs, endedAtMs, attributes, failure } = over;
    if ((over.context ?? parent)?.sampled === false) return;
    this.#ids.next = over.context;
    const above =
      parent === undefined
        ? ROOT_CONTEXT
        : trace.setSpanContext(ROOT_CONTEXT, {
            traceId: parent.traceId,
            spanId: parent.spanId,
            traceFlags: TraceFlags.SAMPLED,
            isRemote: true,
          });
    const span = this.#provider
      .getTracer("ferry", VERSION)
      .startSpan(name, { kind: SpanKind.INTERNAL, startTime: startedAtMs, attributes }, above);
    if (failure !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: failure });
    span.end(endedAtMs);
    this.#ids.next = undefined;
  }

  async close(): Promise<void> {
    const ending = this.#provider.shutdown().catch(() => {}); // the log tells already
    await within(CLOSE_MS, ending);
  }
}

/** A migration's span has an id that both agents know beforehand. */
class ChosenIds implements IdGenerator {
  next: { readonly traceId: string; readonly spanId: string } | undefined;
  readonly #random = new RandomIdGenerator();

  generateTraceId(): string {
    return this.next?.traceId ?? this.#random.generateTraceId();
  }

  generateSpanId(): string {
    return this.next?.spanId ?? this.#random.generateSpanId();
  }
}

/** Says once that exports fail, and once that they succeed again. */
class TellingExporter implements SpanExporter {
  #failing = false;

  constructor(
    readonly exporter: SpanExporter,
    readonly log: Logger,
  ) {}

  export(spans: ReadableSpan[], done: Parameters<SpanExporter["export"]>[1]): void {
    this.exporter.export(spans, (result) => {
      const failed = result.error !== undefined || result.code !== 0;
      if (failed !== this.#failing) this.#tell(failed, result.error);
      done(result);
    });
  }

  shutdown(): Promise<void> {
    return this.exporter.shutdown();
  }

  async forceFlush(): Promise<void> {
    await this.exporter.forceFlush?.();
  }

  #tell(failed: boolean, error: Error | undefined): void {
    this.#failing = failed;
    if (failed) {
      this.log.warn({ err: error?.message }, "spans cannot be sent; migrations go on without");
    } else this.log.info("spans are sent again");
  }
}
