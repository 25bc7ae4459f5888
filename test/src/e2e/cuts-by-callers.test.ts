/*
 * Goal: whatever ends the caller's tether kills the arriving guest in every phase before it has landed,
 * in none after, says why, and the guest is where it was. Method: every cell of the table in
 * support/cuts.ts whose cause is the caller's, with real agents, real QEMUs and, where a process must
 * die, a real process. The other cells are in cuts-by-hosts.test.ts.
 */
import { after, before } from "node:test";
import { Cutting } from "./support/cutting.js";

const cutting = new Cutting();
before(() => cutting.open());
after(() => cutting.close());

for (const cause of [
  "cancelled",
  "connection_lost",
  "keepalive",
  "heartbeat",
  "deadline",
] as const) {
  cutting.row(cause);
}
