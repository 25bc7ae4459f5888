/* Waiting, with this folder's own bound: a row waits for seconds, and longer where others use the machine too. */
import { until as wait } from "../harness/until.js";

/** Longest wait for anything, in milliseconds. */
export const BOUND_MS = 40_000;

export const until: typeof wait = (what, look, withinMs = BOUND_MS) => wait(what, look, withinMs);
