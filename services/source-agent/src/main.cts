#!/usr/bin/env node
import runProgram = require("@ferry/agent-kit/program");

void runProgram(async () => {
  const { startSourceAgent } = await import("./agent.js");
  return { role: "source", start: startSourceAgent };
});
