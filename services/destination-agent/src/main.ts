#!/usr/bin/env node
import { runAgent } from "@ferry/agent-kit";
import { startDestinationAgent } from "./agent.js";

await runAgent({ role: "destination", start: startDestinationAgent });
