/*
 * grpc-js keeps a call's timeout in 32 bits of milliseconds: 25 days cut the stream at once, 60 days
 * after 10 days. The header is gone before a handler runs, so the listener looks at it first: one
 * that is too long is moved aside, where `checkDeadline` finds it and refuses the call in words.
 */
import type { IncomingHttpHeaders } from "node:http2";
import { Fault } from "@ferry/contract";
import type { Call } from "./connections.js";

const DAY_MS = 24 * 60 * 60 * 1000;
/** The longest deadline a call may have. */
export const DEADLINE_MS_MAX = 24 * DAY_MS;

const TOO_LONG_KEY = "ferry-timeout-too-long";

/** The units of `grpc-timeout`, in milliseconds (gRPC over HTTP/2, "Timeout"). */
const UNITS_MS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/** Takes a timeout that grpc-js would misread out of a request's headers, in place. */
export function setAsideLongTimeout(headers: IncomingHttpHeaders): void {
  delete headers[TOO_LONG_KEY];
  const timeout = headers["grpc-timeout"];
  if (typeof timeout !== "string" || !(timeoutMs(timeout) > DEADLINE_MS_MAX)) return;
  delete headers["grpc-timeout"];
  headers[TOO_LONG_KEY] = timeout;
}

function timeoutMs(timeout: string): number {
  const [, count, unit] = /^(\d{1,8})\s*([HMSmun])$/.exec(timeout) ?? [];
  return Number(count) * (UNITS_MS[unit ?? ""] ?? Number.NaN); // NaN: grpc-js refuses it by itself
}

/** Refuses a call whose deadline is further away than can be kept. Ask before doing anything. */
export function checkDeadline(call: Pick<Call, "metadata">): void {
  if (call.metadata.get(TOO_LONG_KEY).length === 0) return;
  const description = `at most ${DEADLINE_MS_MAX / DAY_MS} days ahead, or none at all`;
  throw new Fault("INVALID_REQUEST", `the call's deadline: ${description}`, {
    fieldViolations: [{ field: "grpc-timeout", description }],
  });
}
