#!/usr/bin/env node
import runProgram = require("@ferry/agent-kit/program");

void runProgram(async () => {
  const { startDestinationAgent } = await import("./agent.js");
  return { role: "destination", start: startDestinationAgent };
});
