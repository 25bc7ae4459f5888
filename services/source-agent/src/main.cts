#!/usr/bin/env node
/*
 * The agent as a program. What is here comes before anything else can: Node's threads for files are as
 * many as is said when the first of them is wanted, and that is while an ES module is loaded.
 */

/**
 * Node has four, and each waits for a disk's sync as long as that takes: four migrations that write would
 * keep a fifth waiting that hands its guest over, and four syncs that hang would hang all other files.
 */
process.env.UV_THREADPOOL_SIZE ??= "16";

async function main(): Promise<void> {
  await import("@ferry/agent-kit/small-heap");
  // Loaded only now: whatever was loaded before would have made the heap large already.
  const [{ runAgent }, { startSourceAgent }] = await Promise.all([
    import("@ferry/agent-kit"),
    import("./agent.js"),
  ]);
  await runAgent({ role: "source", start: startSourceAgent });
}

void main();
