/*
 * How an agent's program begins. What is here comes before anything else can: Node's threads for files are
 * as many as is said when the first of them is wanted, and that is while an ES module is loaded.
 */
import type { AgentProgram } from "./run-agent.js" with { "resolution-mode": "import" };

/**
 * Node has four, and each waits for a disk's sync as long as that takes: four migrations that write would
 * keep a fifth waiting that hands its guest over, and four syncs that hang would hang all other files.
 */
process.env.UV_THREADPOOL_SIZE ??= "16";

/** Runs an agent to its end. `load` loads it. */
async function runProgram(load: () => Promise<AgentProgram>): Promise<void> {
  await import("./small-heap.js");
  // Loaded only now: whatever was loaded before would have made the heap large already.
  const [{ runAgent }, program] = await Promise.all([import("./run-agent.js"), load()]);
  await runAgent(program);
}

export = runProgram;
