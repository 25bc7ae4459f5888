/*
 * Where spans go: nowhere, unless the configuration names a collector. What speaks to it is loaded only
 * then (16 MB that an agent without one need not hold), and only ever told of spans that are over, so
 * nothing that traces can delay what is traced.
 */
import type { TraceContext } from "@ferry/contract";
import type { Config } from "./config.js";
import type { Logger } from "./logs.js";

export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

/** A stretch of time that is over. Times are milliseconds since 1970, by this host's clock. */
export interface SpanOver {
  readonly name: string;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  /** Its own place, where others must be able to name it; undefined: any, in its parent's trace. */
  readonly context: TraceContext | undefined;
  /** Undefined: the root of its trace. */
  readonly parent: TraceContext | undefined;
  readonly attributes: SpanAttributes;
  /** In words; undefined: it went well. */
  readonly failure: string | undefined;
}

export interface Traces {
  /** Takes note of it and returns at once; never throws. A queue that is full drops it. */
  span(span: SpanOver): void;
  /** Sends what waits, for a short while. Never rejects. */
  close(): Promise<void>;
}

/** Nobody collects any. */
export const NO_TRACES: Traces = { span: () => {}, close: async () => {} };

export async function openTraces(
  config: Config,
  options: { readonly agentId: string; readonly log: Logger },
): Promise<Traces> {
  const { otlpEndpoint, queueMax } = config.traces;
  if (otlpEndpoint === undefined) return NO_TRACES;
  const { OtlpTraces } = await import("./otlp.js");
  return new OtlpTraces({ ...options, hostId: config.hostId, endpoint: otlpEndpoint, queueMax });
}
