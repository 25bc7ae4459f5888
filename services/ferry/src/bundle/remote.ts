/* What agents tell anybody who asks, for a bug report. */
import { getInfo, listMigrations } from "@ferry/client";
import {
  AgentServiceService,
  HealthCheckResponse_ServingStatus as Health,
  HealthService,
} from "@ferry/contract";
import type { Fleet } from "../fleet.js";
import type { Bundle } from "./bundle.js";

/** How long an agent may take to answer, in milliseconds. */
const ASK_MS = 10_000;
const LIMIT = { timeoutMs: ASK_MS };

export async function collectRemote(bundle: Bundle, fleet: Fleet, names: string[]): Promise<void> {
  await Promise.all(names.map((name) => collectHost(bundle, fleet, name)));
}

async function collectHost(bundle: Bundle, fleet: Fleet, name: string): Promise<void> {
  const host = fleet.host(name);
  for (const role of ["source", "destination"] as const) {
    const agent = host[role];
    const whose = `${role} agent ${agent.address} of ${name}`;
    const at = (file: string) => `${name}/${role}/${file}.json`;
    await bundle.add(at("health"), `health of the ${whose}`, async () => {
      const { status } = await agent.unary(HealthService.check, { service: "" }, LIMIT);
      return { status: Health[status] };
    });
    await bundle.add(at("info"), `versions, QEMU and limits of the ${whose}`, () =>
      getInfo(agent, LIMIT),
    );
    await bundle.add(at("migrations"), `migrations the ${whose} knows`, () =>
      listMigrations(agent, "", LIMIT),
    );
    await bundle.add(at("orphans"), `what was left behind, by the ${whose}`, async () => {
      const request = { expectedAgentId: host.expected[role], sweep: false };
      return (await agent.unary(AgentServiceService.listOrphans, request, LIMIT)).orphans;
    });
  }
  await bundle.add(`${name}/guests.json`, `guests of ${name}`, () => host.guests.list(LIMIT));
}
