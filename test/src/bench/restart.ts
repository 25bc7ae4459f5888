/*
 * An agent that comes back: how long until it answers for fifty guests that live there, and how long a
 * guest stands still whose source agent died while it stood at the gate. Both are counted from the
 * agent's first line, and told from the moment its process was started, too.
 */
import { Guests } from "@ferry/client";
import type { AgentProcess } from "../harness/agent-process.js";
import { TestGuest, tickerSpec } from "../harness/guests.js";
import type { Hosts } from "../harness/hosts.js";
import { until } from "../harness/until.js";
import type { Bench, Suite } from "./bench.js";
import { startHosts } from "./bench-hosts.js";
import { moveWatched, type Watched } from "./move.js";

const RESTARTS = 10;
const GATES = 10;
const GUESTS = 50;
/** So many are started at once: more would only wait for each other. */
const STARTS_AT_ONCE = 4;
/** Slow enough that there is time to freeze the agent before the gate. */
const SLOWLY_BYTES_PER_SECOND = 1024 * 1024;
const UNLIMITED = 2 ** 40;
/** A caller's usual pauses between its tries grow to 2 s: that patience is no number of the agent's. */
const AT_ONCE = { "grpc.initial_reconnect_backoff_ms": 10, "grpc.max_reconnect_backoff_ms": 10 };

export const restarts: Suite = {
  name: "starting an agent again",
  rows: ["agent-restart-50", "agent-restart-50-process", "switchover-agent-restart"],
  async run(bench) {
    if (bench.wants("agent-restart-50", "agent-restart-50-process")) await withFifty(bench);
    if (bench.wants("switchover-agent-restart")) await atTheGate(bench);
  },
};

async function withFifty(bench: Bench): Promise<void> {
  const { pair } = await startHosts(bench);
  const [host] = pair;
  const names = Array.from({ length: GUESTS }, (_, index) => `tiny-${index}`);
  const guests: TestGuest[] = [];
  for (let first = 0; first < GUESTS; first += STARTS_AT_ONCE) {
    const some = names.slice(first, first + STARTS_AT_ONCE);
    guests.push(...(await Promise.all(some.map((name) => TestGuest.start(host, tiny(name))))));
  }
  bench.say(`  (${GUESTS} guests live there)`);
  for (let run = 0; run < bench.runs(RESTARTS); run += 1) {
    await host.source.kill9();
    const spawnedAt = Date.now();
    host.source.start();
    const line = host.source.dial(AT_ONCE);
    await until("every guest to be told of", async () => {
      const told = await new Guests(line).list({ timeoutMs: 10_000 }).catch(() => []);
      return told.length === GUESTS && told.every(({ qemuState }) => qemuState === "running");
    }).finally(() => line.close());
    const answeredAt = Date.now();
    bench.record("agent-restart-50", answeredAt - (await firstLine(host.source, spawnedAt)));
    bench.record("agent-restart-50-process", answeredAt - spawnedAt);
  }
  for (const guest of guests) guest.read(); // throws if it skipped or repeated a tick
}

async function atTheGate(bench: Bench): Promise<void> {
  const hosts = await startHosts(bench);
  let [from, to] = hosts.pair;
  await (
    await TestGuest.start(from, tickerSpec("gate", { memoryMib: 64, ram: 8, hz: 19, check: 16 }))
  ).ticksOn();
  for (let run = 0; run < bench.runs(GATES); run += 1) {
    const { source: agent } = from;
    let spawnedAt = 0;
    const standing = async ({ source }: Watched) => {
      await source.until("active");
      agent.freeze();
      await source.qmp.execute("migrate-set-parameters", { "max-bandwidth": UNLIMITED });
      await source.until("pre-switchover");
      await agent.kill9();
      spawnedAt = Date.now();
      agent.start();
    };
    let stood: Promise<void> = Promise.resolve();
    const { outcome, source, destination } = await moveWatched({
      guestId: "gate",
      from,
      to,
      bandwidthBytesPerSecond: SLOWLY_BYTES_PER_SECOND,
      begun: (watched) => {
        stood = standing(watched);
      },
    });
    await stood;
    try {
      const ran = outcome.verdict === "landed" ? destination : source;
      const runsAgainAt = await ran.until("RESUME");
      bench.say(
        `  (${outcome.verdict}, ${(runsAgainAt - spawnedAt).toFixed(0)} ms after its process was started)`,
      );
      bench.record("switchover-agent-restart", runsAgainAt - (await firstLine(agent, spawnedAt)));
      await until("the guest to be free again", () =>
        isFree(hosts, outcome.verdict === "landed" ? to : from),
      );
      if (outcome.verdict === "landed") [from, to] = [to, from];
    } finally {
      source.close();
      destination.close();
    }
  }
}

async function isFree(hosts: Hosts, home: Hosts["all"][number]): Promise<boolean> {
  const other = hosts.all.find((host) => host !== home);
  const there = await home.client.guests.get("gate").catch(() => undefined);
  const left = await other?.client.guests.list().catch(() => undefined);
  return there?.migrationId === "" && left?.length === 0;
}

/** When the agent that was started then said its first word, in milliseconds since 1970. */
function firstLine(agent: AgentProcess, spawnedAt: number): Promise<number> {
  return until("the agent's first line", () => {
    const line = agent.log().find((each) => new Date(each.time).getTime() >= spawnedAt);
    return line === undefined ? undefined : new Date(line.time).getTime();
  });
}

function tiny(name: string) {
  return tickerSpec(name, { memoryMib: 16, hz: 2, ram: 1, check: 0 });
}
