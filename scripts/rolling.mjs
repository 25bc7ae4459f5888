/* Builds Ferry and restarts every agent under guests: npm run rolling -- --residents 20 --migrating 4. */
import { runBuilt } from "./run-built.mjs";

runBuilt("test/dist/rolling/main.js");
