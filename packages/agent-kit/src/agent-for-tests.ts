/* For tests: an agent's program around nothing, to be run as a process of its own. */
import { once } from "node:events";
import { runAgent } from "./run-agent.js";

await runAgent({
  role: "source",
  start: async (config, { log }) => {
    if (config.hostId === "unlucky") throw new Error("outer", { cause: new Error("inner") });
    if (config.hostId === "buggy") setImmediate(() => void Promise.reject(new Error("a bug")));
    const open = setInterval(() => {}, 1_000);
    if (config.hostId === "slow") {
      log.info("not yet");
      await once(process, "SIGTERM");
    }
    log.info("running");
    return {
      port: 1,
      metricsPort: 2,
      healthPort: undefined,
      stop: async () => {
        log.info("stopping");
        if (config.hostId !== "stuck") clearInterval(open);
        else await new Promise(() => {});
      },
    };
  },
});
