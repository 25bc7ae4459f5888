#!/usr/bin/env node
import { runAgent } from "@ferry/agent-kit";
import { startSourceAgent } from "./agent.js";

await runAgent({ role: "source", start: startSourceAgent });
