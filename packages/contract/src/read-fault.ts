/* The caller's half of faults.ts: what an agent said, out of whatever a gRPC client threw. */
import { Metadata, type status } from "@grpc/grpc-js";
import { DETAILS_KEY, FAULT_DOMAIN, type FieldViolation, TYPE_PREFIX } from "./faults.js";
import type { Blocker } from "./gen/ferry/v1/migration.js";
import type { Any } from "./gen/google/protobuf/any.js";
import {
  BadRequest,
  ErrorInfo,
  PreconditionFailure,
  RequestInfo,
  RetryInfo,
} from "./gen/google/rpc/error_details.js";
import { Status } from "./gen/google/rpc/status.js";
import { type FaultReason, REASONS } from "./reasons.js";

/** A fault as the caller reads it. */
export interface FaultRead {
  /** One of REASONS, unless the agent is newer than this library. */
  readonly reason: string;
  readonly code: status;
  readonly message: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly blockers: readonly Blocker[];
  readonly fieldViolations: readonly FieldViolation[];
  /** How long to wait before trying again, in milliseconds; undefined: the agent did not say. */
  readonly retryAfterMs: number | undefined;
  /** The migration's verdict, if the fault carries one. */
  readonly verdict: string | undefined;
  /** Why the guest was discarded, if the fault carries it. */
  readonly cause: string | undefined;
  /** What the agent's log calls that call; undefined: an agent older than this library. */
  readonly requestId: string | undefined;
  /** What the caller must do now; undefined for a reason this library does not know. */
  readonly next: string | undefined;
}

/**
 * Reads the fault out of an error that grpc-js gave. Undefined: no agent of Ferry said this (a broken
 * connection, a proxy, a bug), so it proves nothing.
 */
export function readFault(error: unknown): FaultRead | undefined {
  const packed = detailsIn(error);
  if (packed === undefined) return undefined;
  try {
    const { code, message, details } = Status.decode(packed);
    const info = find(details, "ErrorInfo", ErrorInfo);
    if (info?.domain !== FAULT_DOMAIN) return undefined;
    const { reason, metadata } = info;
    const blockers = find(details, "PreconditionFailure", PreconditionFailure)?.violations ?? [];
    return {
      reason,
      code,
      message,
      metadata,
      blockers: blockers.map(({ type, subject, description }) => ({
        reason: type,
        subject,
        description,
      })),
      fieldViolations: (find(details, "BadRequest", BadRequest)?.fieldViolations ?? []).map(
        ({ field, description }) => ({ field, description }),
      ),
      retryAfterMs: delayOf(find(details, "RetryInfo", RetryInfo)),
      verdict: metadata.verdict,
      cause: metadata.cause,
      requestId: find(details, "RequestInfo", RequestInfo)?.requestId,
      next: isKnown(reason) ? REASONS[reason].next : undefined,
    };
  } catch {
    return undefined; // not ours, or torn: an unreadable detail is no detail
  }
}

function detailsIn(error: unknown): Buffer | undefined {
  if (typeof error !== "object" || error === null || !("metadata" in error)) return undefined;
  if (!(error.metadata instanceof Metadata)) return undefined;
  const [value] = error.metadata.get(DETAILS_KEY);
  return Buffer.isBuffer(value) ? value : undefined;
}

function find<T>(
  details: readonly Any[],
  type: string,
  codec: { decode(bytes: Uint8Array): T },
): T | undefined {
  const found = details.find(({ typeUrl }) => typeUrl === `${TYPE_PREFIX}${type}`);
  return found === undefined ? undefined : codec.decode(found.value);
}

function delayOf(retry: RetryInfo | undefined): number | undefined {
  const delay = retry?.retryDelay;
  return delay === undefined ? undefined : Number(delay.seconds) * 1000 + delay.nanos / 1_000_000;
}

function isKnown(reason: string): reason is FaultReason {
  return Object.hasOwn(REASONS, reason);
}
