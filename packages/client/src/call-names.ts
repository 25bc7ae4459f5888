/*
 * What every call is called: an id of its own, under which the agent's log has it, and the trace that its caller is in.
 * The id is made here and not by the agent, so that a call that was never answered can be looked for as well.
 */
import { randomUUID } from "node:crypto";
import { REQUEST_ID_KEY, readTraceparent, TRACEPARENT_KEY } from "@ferry/contract";
import { Metadata } from "@grpc/grpc-js";

export class CallNames {
  /** `traceparent`: of every call that names none. */
  constructor(readonly traceparent: string | undefined) {}

  /** The metadata of a new call. A traceparent that is none is left out, as W3C wants it. */
  next(traceparent: string | undefined): Metadata {
    const metadata = new Metadata();
    metadata.set(REQUEST_ID_KEY, randomUUID());
    const trace = traceparent ?? this.traceparent;
    if (trace !== undefined && readTraceparent(trace) !== undefined) {
      metadata.set(TRACEPARENT_KEY, trace);
    }
    return metadata;
  }
}

/** Adds the call's id to its error, unless the agent has said it itself. */
export function named<E>(error: E, call: Metadata): E {
  const metadata = metadataIn(error);
  const [requestId] = call.get(REQUEST_ID_KEY);
  if (metadata === undefined || requestId === undefined) return error;
  if (metadata.get(REQUEST_ID_KEY).length === 0) metadata.set(REQUEST_ID_KEY, requestId);
  return error;
}

/** The id of the call that failed so; undefined: it was no call of an Agent. */
export function requestIdOf(error: unknown): string | undefined {
  const [requestId] = metadataIn(error)?.get(REQUEST_ID_KEY) ?? [];
  return typeof requestId === "string" ? requestId : undefined;
}

function metadataIn(error: unknown): Metadata | undefined {
  if (typeof error !== "object" || error === null || !("metadata" in error)) return undefined;
  return error.metadata instanceof Metadata ? error.metadata : undefined;
}
