/*
 * An agent as shipped, with the world around it wrapped: node agent-main.js ROLE BOOT_ID SHADOW_DIR
 * SAVED_DIR [the agent's own options].
 */
import { runAgent } from "@ferry/agent-kit";
import { startDestinationAgent } from "@ferry/destination-agent";
import { startSourceAgent } from "@ferry/source-agent";
import { installHooks } from "./hooks.js";

const [role, bootId, shadowDir, savedDir] = process.argv.splice(2, 4);
if (bootId === undefined || shadowDir === undefined || savedDir === undefined) {
  throw new Error("ROLE BOOT_ID SHADOW_DIR SAVED_DIR");
}
if (role !== "source" && role !== "destination") throw new Error(`no role ${role}`);
installHooks({ role, bootId, shadowDir, savedDir });
await runAgent({ role, start: role === "source" ? startSourceAgent : startDestinationAgent });
