/* Builds Ferry and runs migrations with faults drawn by lot: npm run chaos -- --seed S --migrations N. */
import { runBuilt } from "./run-built.mjs";

runBuilt("test/dist/faults/chaos-main.js");
