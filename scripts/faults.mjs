/* Builds Ferry and runs the failure matrix: test/src/faults. `npm run faults -- --help` says what there is. */
import { runBuilt } from "./run-built.mjs";

runBuilt("test/dist/faults/main.js");
