/*
 * Goal: no secret is ever told to anybody who does not need it: no key of a migration and no private key
 * is in a log, an answer, a metric, a record, a command line, a span or a bug report. Method: the keys of real migrations are
 * learnt where only their owners may (the run directory, Meet), everything an agent says or writes is
 * collected at its most talkative, and each key is looked for in all of it.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gunzipSync } from "node:zlib";
import { guestRunDirectory } from "@ferry/agent-kit";
import {
  type Agent,
  connectHost,
  getInfo,
  listMigrations,
  type Transport,
  watchMigrations,
} from "@ferry/client";
import {
  MeetRequest,
  type MeetResponse,
  PeerServiceService,
  Verdict,
  Transport as Wire,
} from "@ferry/contract";
import type { ServiceError } from "@grpc/grpc-js";
import { Collector } from "../harness/collector.js";
import { TestGuest } from "../harness/guests.js";
import type { TestHost } from "../harness/hosts.js";
import { processesMentioning } from "../harness/processes.js";
import { until } from "../harness/until.js";
import { type Bench, openBench } from "./support/bench-hosts.js";
import { NARROW, stagedSpec } from "./support/staging.js";
import { refusal, Steps } from "./support/steps.js";

const ferry = fileURLToPath(new URL("../../../services/ferry/dist/main.js", import.meta.url));

let collector: Collector;
let bench: Bench;
before(async () => {
  collector = await Collector.start();
  bench = await openBench({
    security: "mtls",
    config: (own) => ({
      log: { level: "trace" },
      traces: { otlp_endpoint: collector.endpoint(own) },
    }),
  });
});
after(async () => {
  await bench?.close();
  collector?.close();
});

/** Where something was said or written, and what. */
type Heap = Map<string, string>;

/** Everything both hosts say of themselves now. */
async function collect(heap: Heap, moment: string): Promise<void> {
  const words = (value: unknown) =>
    JSON.stringify(value, (_, each) => (typeof each === "bigint" ? `${each}` : each));
  for (const host of bench.hosts.all) {
    const agents: [string, Agent][] = [
      ["source", host.client.source],
      ["destination", host.client.destination],
    ];
    for (const [role, agent] of agents) {
      const at = `${moment}: ${host.name}/${role}`;
      const known = await listMigrations(agent);
      heap.set(`${at} list`, words(known));
      heap.set(`${at} info`, words(await getInfo(agent)));
      heap.set(`${at} watch`, words(await first(known.length, watchMigrations(agent))));
      const metrics = await fetch(
        `http://${host.address}:${role === "source" ? 9701 : 9702}/metrics`,
      );
      heap.set(`${at} metrics`, await metrics.text());
    }
    heap.set(`${moment}: ${host.name} guests`, words(await host.client.guests.list()));
    for (const path of files(host.stateDir))
      heap.set(`${moment}: ${path}`, readFileSync(path, "latin1"));
  }
  const running = processesMentioning(`${bench.hosts.dir}/`);
  heap.set(`${moment}: command lines`, running.map(({ commandLine }) => commandLine).join("\n"));
}

/** What the agents logged since they were started, and QEMUs' own words. */
function collectLogs(heap: Heap): void {
  for (const host of bench.hosts.all) {
    for (const agent of [host.source, host.destination]) {
      const { logPath } = agent.options;
      heap.set(logPath, readFileSync(logPath, "latin1"));
    }
    for (const path of files(host.runDir)) {
      if (path.endsWith(".log")) heap.set(path, readFileSync(path, "latin1"));
    }
  }
}

/** A bug report of both hosts, made on one of them, on which somebody had logged a key after all. */
async function reportOf(
  { name, source, stateDir }: TestHost,
  key: string,
  moment: string,
): Promise<string> {
  const inDir = (file: string) => join(bench.hosts.dir, `${moment}-${file}`);
  const log = inDir("agent.log");
  const planted = [`planted: ${key}`, JSON.stringify({ msg: "planted", endpoint: { key } })];
  writeFileSync(log, `${readFileSync(source.options.logPath, "utf8")}${planted.join("\n")}\n`);
  const config = JSON.parse(readFileSync(source.options.configPath, "utf8"));
  writeFileSync(inDir("agent.yaml"), JSON.stringify({ ...config, log: { file: log } }));
  const cert = (file: string) => join(bench.hosts.certificatesDir, "controller", file);
  const hosts = bench.hosts.all.map(({ name, source, destination }) => [
    name,
    { source: source.options.address, destination: destination.options.address },
  ]);
  const tls = { ca: cert("ca.crt"), cert: cert("controller.crt"), key: cert("controller.key") };
  writeFileSync(inDir("hosts.yaml"), JSON.stringify({ hosts: Object.fromEntries(hosts), tls }));
  const file = inDir("report.tar.gz");
  const argv = ["--hosts", inDir("hosts.yaml"), "doctor", "--bundle", file];
  argv.push("--config", inDir("agent.yaml"));
  const { stdout: out } = await promisify(execFile)(process.execPath, [ferry, ...argv]);
  const tar = gunzipSync(readFileSync(file)).toString("latin1");
  assert.equal(tar.split("planted").length, 3, "the log's end is in it");
  assert.doesNotMatch(out, /not got: (?!local|log)/, "everything else could be got");
  for (const held of [`${name}/source/migrations.json`, "metrics-9701.txt", "record.json"]) {
    assert.ok(tar.includes(held), `${held} in ${stateDir}`);
  }
  return out + tar;
}

/** That many of what is watched: all that is known already is told at once. */
async function first<T>(count: number, all: AsyncGenerator<T>): Promise<T[]> {
  const told: T[] = [];
  if (count === 0) return told;
  for await (const each of all) if (told.push(each) === count) break;
  return told;
}

/** Plain files below a folder. One that goes away meanwhile is none. */
function files(dir: string): string[] {
  return readdirSync(dir, { recursive: true, encoding: "utf8" })
    .map((name) => join(dir, name))
    .filter((path) => existsSync(path) && statSync(path).isFile());
}

/** The key of an arrival, told over Meet to whoever has its source's certificate. */
async function keyOf({ migrationId, guestId, from, to }: Steps): Promise<string> {
  const dir = join(bench.hosts.certificatesDir, from.name);
  const read = (name: string) => readFileSync(join(dir, name));
  const { address } = to.client.destination;
  const caller = connectHost({
    source: address,
    destination: address,
    hostId: to.name,
    tls: { ca: read("ca.crt"), cert: read("host.crt"), key: read("host.key") },
  });
  const call = caller.destination.duplex(PeerServiceService.meet);
  try {
    return await new Promise((resolve, reject) => {
      call.on("data", ({ endpoint }: MeetResponse) => endpoint && resolve(endpoint.key));
      call.on("error", (error: ServiceError) => reject(error));
      const sourceAgentId = `${from.name}/source`;
      call.write(MeetRequest.fromPartial({ migrationId, guestId, sourceAgentId }));
    });
  } finally {
    call.cancel();
    caller.close();
  }
}

/** Every private key of these hosts, its controller and its authority: their longest lines. */
function privateKeys(): [string, string][] {
  return files(bench.hosts.certificatesDir)
    .filter((path) => path.endsWith(".key"))
    .map((path) => {
      const lines = readFileSync(path, "utf8").split("\n");
      const body = lines.filter((line) => !line.startsWith("-----"));
      return [
        path,
        body.reduce((longest, line) => (line.length > longest.length ? line : longest)),
      ];
    });
}

const WIRE: Record<Exclude<Transport, "direct_plain">, Wire> = {
  direct: Wire.DIRECT,
  tunnel: Wire.TUNNEL,
};

test("no key is found anywhere but where it belongs", async () => {
  const [from, to] = bench.hosts.pair;
  const heap: Heap = new Map();
  const secrets = new Map<string, string>(privateKeys());
  assert.ok(secrets.size >= 4, "two hosts, a controller and their authority");
  for (const transport of ["direct", "tunnel"] as const) {
    for (const end of ["landed", "returned", "aborted"] as const) {
      const guestId = `${transport}-${end}`;
      const guest = await TestGuest.start(from, stagedSpec(guestId));
      const steps = new Steps({ guestId, from, to, transport: WIRE[transport] });
      await steps.begin();
      const tether = bench.keep(steps.prepare());
      await tether.ready();
      const key = await keyOf(steps);
      assert.match(key, /^[0-9a-f]{64}$/);
      secrets.set(guestId, key);
      const psk = join(guestRunDirectory(to.runDir, steps.migrationId), "keys", "keys.psk");
      if (transport === "direct") {
        assert.ok(readFileSync(psk, "utf8").includes(key), "QEMU was given another key");
        assert.equal(statSync(psk).mode & 0o777, 0o600);
      }
      const view = steps.perform(end === "landed" ? {} : { bandwidthBytesPerSecond: NARROW });
      await view.bound();
      await collect(heap, `${guestId} under way`);
      if (end === "landed") {
        heap.set(`${guestId}: report`, await reportOf(from, key, guestId));
      }
      if (end === "landed") assert.equal(Verdict[(await steps.land(60_000)).verdict], "LANDED");
      if (end === "returned") tether.cancel();
      if (end === "aborted") await steps.abort();
      const { settled } = await steps.confirm(60_000);
      assert.ok(settled);
      await steps.arrival("its end", (arrival) => arrival.settled);
      const fault = await tether.ended;
      const again = await refusal(steps.begin());
      heap.set(
        `${guestId}: what its caller heard`,
        JSON.stringify([fault, again, view.events], bigText),
      );
      await collect(heap, `${guestId} over`);
      await guest.livesAt(end === "landed" ? to : from);
      await guest.ticksOn(1);
    }
  }
  collectLogs(heap);
  await until("spans of the migrations", () => collector.spans.length > 0);
  heap.set("spans", collector.bodies.join("\n"));

  const lines = [...heap.values()].reduce((sum, text) => sum + text.length, 0);
  assert.ok(lines > 100_000, "there was little to look through");
  const found = [...secrets].flatMap(([whose, secret]) =>
    [...heap].filter(([, text]) => text.includes(secret)).map(([where]) => `${whose}: ${where}`),
  );
  assert.deepEqual(found, []);
  await keysAreGone([from, to], [...secrets.values()]);
});

/** A key is of no use once its migration is over: no file of it is left. */
async function keysAreGone(hosts: readonly TestHost[], keys: readonly string[]): Promise<void> {
  const left = () =>
    hosts
      .flatMap(({ runDir }) => files(runDir))
      .filter((path) => keys.some((key) => readFileSync(path, "latin1").includes(key)));
  await until("every key to be gone", () => left().length === 0, 10_000).catch(() => {});
  assert.deepEqual(left(), []);
}

function bigText(_: string, each: unknown): unknown {
  return typeof each === "bigint" ? `${each}` : each;
}
