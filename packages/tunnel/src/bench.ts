/*
 * How fast the tunnel is on this machine, beside a plain unix socket and a plain TCP connection, and how
 * much memory its pumps take meanwhile. Memory to memory: a feeder and a drain, processes of their own,
 * stand in for the two QEMUs.
 *
 *   node packages/tunnel/dist/bench.js [megabytes] [rounds]
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type NetConnectOpts } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  authority,
  isAlive,
  MIGRATION,
  PLAINTEXT,
  peakMebibytes,
  temporaryDirectory,
} from "./fixture.js";
import { type Security, startTunnel, type Tunnel } from "./index.js";

/** Of /proc, on every Linux there is. */
const TICKS_PER_SECOND = 100;
const MEGABYTE = 1e6;
const SELF = fileURLToPath(import.meta.url);
const { argv } = process;
if (argv[2] === "feed") await feed(JSON.parse(argv[3] ?? ""), Number(argv[4]));
else if (argv[2] === "drain") drain(JSON.parse(argv[3] ?? ""));
else await main(Number(argv[2] ?? 2000) * MEGABYTE, Number(argv[3] ?? 3));

async function main(bytes: number, rounds: number): Promise<void> {
  const tidy: (() => unknown)[] = [];
  const test = { after: (step: () => unknown) => void tidy.push(step) };
  try {
    const directory = temporaryDirectory(test);
    const ca = authority(directory);
    const secured = [ca.security("here", "there"), ca.security("there", "here")] as const;
    const ways = {
      "unix socket": () => plain({ path: join(directory, "plain") }),
      TCP: () => plain({ port: 0, host: "127.0.0.1" }),
      "tunnel, plaintext": () => tunnel(directory, [PLAINTEXT, PLAINTEXT]),
      "tunnel, mutual TLS": () => tunnel(directory, secured),
    };
    for (let round = 0; round < rounds; round += 1) {
      for (const [name, way] of Object.entries(ways)) console.log(name, await way());
    }
  } finally {
    for (const step of tidy) await step();
  }

  async function plain(address: object): Promise<string> {
    const sink = await startDrain(address);
    const seconds = await timeFeed(sink.address);
    await sink.done;
    return `${Math.round(bytes / MEGABYTE / seconds)} MB/s`;
  }

  async function tunnel(directory: string, [near, far]: readonly [Security, Security]) {
    const incoming = join(directory, "incoming");
    const outgoing = join(directory, "outgoing");
    const sink = await startDrain({ path: incoming });
    const accept = await startTunnel({
      role: "accept",
      listen: { host: "127.0.0.1", ports: [0] },
      connectPath: incoming,
      security: far,
      ...MIGRATION,
    });
    const dial = await startTunnel({
      role: "dial",
      listenPath: outgoing,
      address: { host: "127.0.0.1", port: accept.port },
      security: near,
      ...MIGRATION,
    });
    const costs = [watchCost(dial), watchCost(accept)];
    const seconds = await timeFeed({ path: outgoing });
    await sink.done;
    const spent = costs.map((stop) => stop()).join("; ");
    await Promise.all([dial.ended, accept.ended]);
    return `${Math.round(bytes / MEGABYTE / seconds)} MB/s (pumps: ${spent})`;
  }

  async function startDrain(address: object) {
    const child = fork(SELF, ["drain", JSON.stringify(address)]);
    const [bound] = (await once(child, "message")) as [NetConnectOpts];
    return { address: bound, done: once(child, "exit") };
  }

  /** Seconds from the first byte until the other end has answered that it has the last. */
  async function timeFeed(address: NetConnectOpts): Promise<number> {
    const child = fork(SELF, ["feed", JSON.stringify(address), String(bytes)]);
    const [seconds] = (await once(child, "message")) as [number];
    return seconds;
  }
}

/** Reads the pump's peak memory and its processor time until told to stop. */
function watchCost({ pid }: Tunnel): () => string {
  let cost = "";
  const timer = setInterval(() => {
    if (!isAlive(pid)) return;
    const ticks = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    const cpuSeconds = (Number(ticks[11]) + Number(ticks[12])) / TICKS_PER_SECOND;
    cost = `${Math.round(peakMebibytes(pid))} MiB, ${cpuSeconds} s of CPU`;
  }, 50);
  return () => {
    clearInterval(timer);
    return cost;
  };
}

async function feed(address: NetConnectOpts, bytes: number): Promise<void> {
  const socket = connect({ ...address, allowHalfOpen: true });
  await once(socket, "connect");
  const piece = Buffer.alloc(MEGABYTE, 7);
  const start = performance.now();
  for (let sent = 0; sent < bytes; sent += piece.length) {
    if (!socket.write(piece)) await once(socket, "drain");
  }
  socket.end();
  socket.resume();
  await once(socket, "end");
  process.send?.((performance.now() - start) / 1000);
  process.disconnect();
}

function drain(address: { path: string } | { port: number; host: string }): void {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    server.close();
    socket.on("data", () => {});
    socket.on("end", () => socket.end());
    socket.on("close", () => process.disconnect());
  });
  server.listen(address, () => {
    const bound = server.address() as AddressInfo | string;
    process.send?.(typeof bound === "string" ? { path: bound } : { port: bound.port });
  });
}
