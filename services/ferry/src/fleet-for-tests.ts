/* For tests: two scripted hosts and their hosts file. The guests of the script live on a, and b can take them. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { FakeAgents, type Script } from "@ferry/client/fake-agents";

/** A guest that moves, and all goes well. */
export const HEALTHY = {
  guests: ["vm1"],
  begin: ["ok"],
  prepare: [["prepared", "phase receiving", "never"]],
  perform: [["bound", "progress", "released"]],
  finish: ["landed"],
  confirm: ["landed"],
  downtimeMs: 12,
} satisfies Script;

export interface ScriptedFleet {
  /** Those that do as the script says: a's source and b's destination. */
  readonly agents: FakeAgents;
  /** The other two, which have nothing to do. */
  readonly others: FakeAgents;
  /** Path of the hosts file. */
  readonly hosts: string;
}

/** Whoever starts it closes both. */
export async function startFleet(directory: string, script: Script): Promise<ScriptedFleet> {
  const agents = await new FakeAgents(script).listen();
  const others = await new FakeAgents({}).listen();
  const hosts = join(directory, "hosts.yaml");
  writeFileSync(
    hosts,
    `plaintext: true
hosts:
  a: {source: '${agents.source}', destination: '${others.destination}'}
  b: {source: '${others.source}', destination: '${agents.destination}'}
`,
  );
  return { agents, others, hosts };
}
