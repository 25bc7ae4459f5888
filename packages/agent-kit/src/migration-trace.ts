/*
 * One migration's trace at one agent: which trace its log lines and spans belong to, and what is said of
 * it to the other agent. A controller that sends a `traceparent` is its parent. Without one the trace is
 * the migration's own id, and the source's span is the root: both agents come to that by themselves.
 * If the two were told different traces, the source's is the one: the destination takes it up at Meet.
 */
import {
  migrationSpanIdOf,
  readTraceparent,
  type TraceContext,
  traceIdOf,
  writeTraceparent,
} from "@ferry/contract";
import type { AgentRole } from "./config.js";
import type { Logger } from "./logs.js";
import type { SpanAttributes, Traces } from "./traces.js";

/** Milliseconds since 1970, by this host's clock. */
interface Stretch {
  readonly startedAtMs: number;
  readonly endedAtMs: number;
}

/** One step of the migration's table, as its log line tells it. */
export interface PhaseOver extends Stretch {
  /** The phase that is over. */
  readonly phase: string;
  /** What was heard that ended it. */
  readonly heard: string;
  readonly next: string;
}

export interface MigrationOver extends Stretch {
  readonly phase: string;
  /** Undefined: the guest moved. */
  readonly failure: string | undefined;
}

export interface MigrationTraceOptions {
  readonly role: AgentRole;
  readonly migrationId: string;
  readonly guestId: string;
  /** As its caller sent it, or as a record kept it. */
  readonly traceparent: string | undefined;
  readonly log: Logger;
  readonly traces: Traces;
}

/** What a migration is given of its host, with a log whose every line names the migration's trace. */
export function hostInTrace<Host extends { readonly log: Logger }>(
  host: Host,
  trace: MigrationTrace,
): Host {
  return {
    ...host,
    get log() {
      return trace.log; // another one once the other agent has named its trace
    },
  };
}

export class MigrationTrace {
  readonly #options: MigrationTraceOptions;
  #traceparent: string | undefined;
  #log: Logger;

  constructor(options: MigrationTraceOptions) {
    this.#options = options;
    this.#traceparent = options.traceparent;
    this.#log = this.#child();
  }

  /** Every line of it names the trace. */
  get log(): Logger {
    return this.#log;
  }

  /** What was given, for the record; undefined: nobody gave one. */
  get traceparent(): string | undefined {
    return this.#traceparent;
  }

  /** What the other agent is told: this migration's span here. */
  get carried(): string {
    return writeTraceparent(this.#own());
  }

  /** Takes up a trace, if this migration has none yet. */
  offer(traceparent: string | undefined): void {
    if (this.#traceparent === undefined && traceparent !== undefined) this.#take(traceparent);
  }

  /** Takes up the source's trace where it is another than ours. */
  meet(traceparent: string | undefined): void {
    const theirs = readTraceparent(traceparent);
    if (traceparent === undefined || theirs === undefined) return;
    if (theirs.traceId !== this.#own().traceId) this.#take(traceparent);
  }

  phase({ phase, heard, next, ...stretch }: PhaseOver): void {
    this.#span(phase, stretch, { "ferry.phase": phase, "ferry.heard": heard, "ferry.next": next });
  }

  /** The guest stood still from its STOP at the source until it ran again. */
  blackout(stretch: Stretch, at: AgentRole): void {
    this.#span("blackout", stretch, { "ferry.resumed_at": at });
  }

  /** The whole migration at this agent, told once it is over. */
  over({ phase, failure, ...stretch }: MigrationOver): void {
    this.#options.traces.span({
      ...stretch,
      name: `migration ${this.#options.role}`,
      context: this.#own(),
      parent: this.#parent(),
      attributes: { ...this.#attributes(), "ferry.phase": phase },
      failure,
    });
  }

  #span(name: string, stretch: Stretch, attributes: SpanAttributes): void {
    this.#options.traces.span({
      ...stretch,
      name,
      context: undefined,
      parent: this.#own(),
      attributes: { ...this.#attributes(), ...attributes },
      failure: undefined,
    });
  }

  #attributes(): SpanAttributes {
    const { role, migrationId, guestId } = this.#options;
    return { "ferry.migration_id": migrationId, "ferry.guest_id": guestId, "ferry.role": role };
  }

  #take(traceparent: string): void {
    this.#traceparent = traceparent;
    this.#log = this.#child();
  }

  #child(): Logger {
    return this.#options.log.child({ trace_id: this.#own().traceId });
  }

  #own(): TraceContext {
    const { role, migrationId } = this.#options;
    const given = readTraceparent(this.#traceparent);
    return {
      traceId: given?.traceId ?? traceIdOf(migrationId),
      spanId: migrationSpanIdOf(migrationId, role),
      sampled: given?.sampled ?? true,
    };
  }

  #parent(): TraceContext | undefined {
    const { role, migrationId } = this.#options;
    const given = readTraceparent(this.#traceparent);
    if (given !== undefined || role === "source") return given;
    return { ...this.#own(), spanId: migrationSpanIdOf(migrationId, "source") };
  }
}
