#!/usr/bin/env node
import "@ferry/agent-kit/small-heap";

// Loaded only now: whatever was loaded before would have made the heap large already.
const [{ runAgent }, { startSourceAgent }] = await Promise.all([
  import("@ferry/agent-kit"),
  import("./agent.js"),
]);
await runAgent({ role: "source", start: startSourceAgent });
