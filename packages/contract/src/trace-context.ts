/*
 * What ties calls, log lines and spans of one migration together, in the words others use for it:
 * W3C's `traceparent`, and a request id per call. Both travel as gRPC metadata, so that no message has
 * to carry them, and a caller of any language may send them or leave them out.
 */
import { createHash } from "node:crypto";
import { Any } from "./gen/google/protobuf/any.js";
import { RequestInfo } from "./gen/google/rpc/error_details.js";
import { Status } from "./gen/google/rpc/status.js";

/** Metadata key of W3C Trace Context, level 1. */
export const TRACEPARENT_KEY = "traceparent";
/** Metadata key of a call's id; an agent makes one where the caller sent none, and always echoes it. */
export const REQUEST_ID_KEY = "x-request-id";

/** A place in a trace. */
export interface TraceContext {
  /** 32 hexadecimal digits, not all 0. */
  readonly traceId: string;
  /** 16 hexadecimal digits, not all 0. */
  readonly spanId: string;
  /** False: whoever began the trace does not want its spans kept. */
  readonly sampled: boolean;
}

const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const NONE = /^0+$/;
/** Printable, and short enough for a log line and a trailer. */
const REQUEST_ID = /^[\x21-\x7e]{1,128}$/;
const TYPE_URL = "type.googleapis.com/google.rpc.RequestInfo";

/** Undefined for what is no traceparent: W3C wants a broken one ignored, not refused. */
export function readTraceparent(text: string | undefined): TraceContext | undefined {
  const [, traceId = "", spanId = "", flags = "", more] = TRACEPARENT.exec(text ?? "") ?? [];
  if (traceId === "" || NONE.test(traceId) || NONE.test(spanId)) return undefined;
  if (more !== undefined && text?.startsWith("00")) return undefined; // version 00 ends here
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

export function writeTraceparent({ traceId, spanId, sampled }: TraceContext): string {
  return `00-${traceId}-${spanId}-${sampled ? "01" : "00"}`;
}

/**
 * The trace of a migration whose controller named none: its id, which is as long. Both agents come to
 * it by themselves, so their lines and spans meet without a word between them.
 */
export function traceIdOf(migrationId: string): string {
  const traceId = migrationId.replaceAll("-", "").toLowerCase();
  return NONE.test(traceId) ? `${traceId.slice(0, -1)}1` : traceId;
}

/** The span of a whole migration at one agent: the same after a restart, and known to the other agent. */
export function migrationSpanIdOf(migrationId: string, role: "source" | "destination"): string {
  const digest = createHash("sha256").update(`${migrationId.toLowerCase()} ${role}`).digest("hex");
  return digest.slice(0, 16);
}

/** Whether a caller's request id can be used as it is. */
export function isRequestId(text: string): boolean {
  return REQUEST_ID.test(text);
}

/** Adds google.rpc.RequestInfo to packed error details, or makes some that say nothing else. */
export function withRequestInfo(
  packed: Uint8Array | undefined,
  { code, message, requestId }: { code: number; message: string; requestId: string },
): Buffer {
  const status = packed === undefined ? { code, message, details: [] } : Status.decode(packed);
  const info = RequestInfo.encode(RequestInfo.fromPartial({ requestId })).finish();
  const details = [
    ...status.details,
    Any.fromPartial({ typeUrl: TYPE_URL, value: Buffer.from(info) }),
  ];
  return Buffer.from(Status.encode({ ...status, details }).finish());
}
