/*
 * How a "no" travels: a gRPC status whose details are a google.rpc.Status with exactly one ErrorInfo
 * (domain "ferry", one of REASONS) and whatever else a program can act on.
 */
import { Metadata, type StatusObject, status } from "@grpc/grpc-js";
import type { Blocker } from "./gen/ferry/v1/migration.js";
import type { Any } from "./gen/google/protobuf/any.js";
import {
  BadRequest,
  ErrorInfo,
  Help,
  PreconditionFailure,
  QuotaFailure,
  RetryInfo,
} from "./gen/google/rpc/error_details.js";
import { Status } from "./gen/google/rpc/status.js";
import { type FaultReason, REASONS, type Reason } from "./reasons.js";

export const FAULT_DOMAIN = "ferry";
export const DETAILS_KEY = "grpc-status-details-bin";
export const TYPE_PREFIX = "type.googleapis.com/google.rpc.";

/** Trailers over about 8 KiB are refused by common clients and proxies; base64 adds a third. */
const DETAILS_BYTES_MAX = 4096;
const MESSAGE_CHARACTERS_MAX = 512;
const DESCRIPTION_CHARACTERS_MAX = 256;

/** One wrong field of a request, by its path in the .proto, e.g. "spec.disks[0].path". */
export interface FieldViolation {
  readonly field: string;
  readonly description: string;
}

export interface FaultDetails {
  /** What a program may want to know, e.g. `migration_id` of the migration in the way. No secrets. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Everything in the way. Sent as PreconditionFailure, for exhausted resources also as QuotaFailure. */
  readonly blockers?: readonly Blocker[];
  readonly fieldViolations?: readonly FieldViolation[];
  /** Overrides the reason's own, in milliseconds. */
  readonly retryAfterMs?: number;
  /** The migration's verdict, in metadata `verdict`. */
  readonly verdict?: "pending" | "landed" | "returned" | "perished";
  /** Why the guest was discarded, in metadata `cause`, e.g. "connection_lost". */
  readonly cause?: string;
}

/** A "no" worded for the caller. Anything else that is thrown is a bug, and stays in our log. */
export class Fault extends Error {
  override readonly name = "Fault";
  readonly reason: FaultReason;
  readonly details: FaultDetails;

  constructor(reason: FaultReason, message: string, details: FaultDetails = {}) {
    super(message);
    this.reason = reason;
    this.details = details;
  }
}

/** What grpc-js accepts for an error, in a unary callback as well as in `call.emit("error", …)`. */
export type FaultStatus = Partial<StatusObject> & {
  code: status;
  details: string;
  metadata: Metadata;
};

/** Only a Fault speaks to the caller; whatever else was thrown says nothing of what broke. */
export function toStatus(thrown: unknown): FaultStatus {
  if (!(thrown instanceof Fault)) {
    return { code: status.INTERNAL, details: "internal error", metadata: new Metadata() };
  }
  const { code } = REASONS[thrown.reason];
  const message = cut(thrown.message, MESSAGE_CHARACTERS_MAX);
  const metadata = new Metadata();
  metadata.set(DETAILS_KEY, encodeFitting(thrown, code, message));
  return { code, details: message, metadata };
}

/** As many violations as fit; how many did not is told in metadata `omitted`. */
function encodeFitting(fault: Fault, code: status, message: string): Buffer {
  const { blockers = [], fieldViolations = [] } = fault.details;
  let best = encode(fault, code, message, 0);
  let low = 0;
  let high = Math.max(blockers.length, fieldViolations.length);
  while (low < high) {
    const listed = Math.ceil((low + high) / 2);
    const bytes = encode(fault, code, message, listed);
    if (bytes.length > DETAILS_BYTES_MAX) high = listed - 1;
    else {
      low = listed;
      best = bytes;
    }
  }
  return best;
}

function encode(fault: Fault, code: status, message: string, listedMax: number): Buffer {
  const blockers = (fault.details.blockers ?? []).slice(0, listedMax);
  const fields = (fault.details.fieldViolations ?? []).slice(0, listedMax);
  const omitted =
    (fault.details.blockers ?? []).length +
    (fault.details.fieldViolations ?? []).length -
    blockers.length -
    fields.length;
  const details = [errorInfo(fault, omitted)];
  if (blockers.length > 0) details.push(preconditionFailure(blockers));
  if (code === status.RESOURCE_EXHAUSTED) details.push(quotaFailure(fault));
  if (fields.length > 0) details.push(badRequest(fields));
  const { next, retryAfterMs }: Reason = REASONS[fault.reason];
  const delayMs = fault.details.retryAfterMs ?? retryAfterMs;
  if (delayMs !== undefined) details.push(retryInfo(delayMs));
  details.push(help(fault.reason, next));
  return Buffer.from(Status.encode({ code, message, details }).finish());
}

function errorInfo({ reason, details }: Fault, omitted: number): Any {
  const metadata: Record<string, string> = {};
  for (const [key, value] of Object.entries(details.metadata ?? {})) {
    metadata[key] = cut(value, DESCRIPTION_CHARACTERS_MAX);
  }
  if (details.verdict !== undefined) metadata.verdict = details.verdict;
  if (details.cause !== undefined) metadata.cause = details.cause;
  if (omitted > 0) metadata.omitted = `${omitted}`;
  return pack("ErrorInfo", ErrorInfo.encode({ reason, domain: FAULT_DOMAIN, metadata }));
}

function preconditionFailure(blockers: readonly Blocker[]): Any {
  const violations = blockers.map(({ reason, subject, description }) => ({
    type: reason,
    subject: cut(subject, DESCRIPTION_CHARACTERS_MAX),
    description: cut(description, DESCRIPTION_CHARACTERS_MAX),
  }));
  return pack("PreconditionFailure", PreconditionFailure.encode({ violations }));
}

function quotaFailure(fault: Fault): Any {
  const subject = cut(
    fault.details.blockers?.[0]?.subject || fault.reason,
    DESCRIPTION_CHARACTERS_MAX,
  );
  const description = cut(fault.message, DESCRIPTION_CHARACTERS_MAX);
  const failure = QuotaFailure.fromPartial({ violations: [{ subject, description }] });
  return pack("QuotaFailure", QuotaFailure.encode(failure));
}

function badRequest(fields: readonly FieldViolation[]): Any {
  const fieldViolations = fields.map(({ field, description }) => ({
    field: cut(field, DESCRIPTION_CHARACTERS_MAX),
    description: cut(description, DESCRIPTION_CHARACTERS_MAX),
  }));
  return pack("BadRequest", BadRequest.encode(BadRequest.fromPartial({ fieldViolations })));
}

function retryInfo(delayMs: number): Any {
  const seconds = BigInt(Math.floor(delayMs / 1000));
  const nanos = Math.round((delayMs % 1000) * 1_000_000);
  return pack("RetryInfo", RetryInfo.encode({ retryDelay: { seconds, nanos } }));
}

/** The link is relative to the tree of the release the agent belongs to. */
function help(reason: FaultReason, next: string): Any {
  const url = `docs/errors.md#${reason.toLowerCase()}`;
  return pack("Help", Help.encode({ links: [{ description: next, url }] }));
}

function pack(type: string, writer: { finish(): Uint8Array }): Any {
  return { typeUrl: `${TYPE_PREFIX}${type}`, value: Buffer.from(writer.finish()) };
}

/** Shortened, and without halves of characters: grpc-js cannot send those at all. */
function cut(text: string, charactersMax: number): string {
  const short = text.length > charactersMax ? `${text.slice(0, charactersMax - 1)}…` : text;
  return short.replace(/\p{Surrogate}/gu, "\ufffd");
}
