/*
 * Goal: a real migration passes through the tunnel, with its return path, and the guest's memory arrives as
 * it was. Method: two real QEMUs on this machine, each knowing only a unix socket.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { authority, MIGRATION, PLAINTEXT, temporaryDirectory } from "./fixture.js";
import type { Security } from "./security.js";
import { startTunnel } from "./tunnel.js";

const MEMORY_MIB = 128;
/** Random bytes, so that QEMU cannot leave pages of zeros out. */
const FILLED = { from: 0x100000, bytes: 96 * 1024 * 1024 };

test("a guest's memory migrates through the tunnel, over mutual TLS", async (t) => {
  const { source, destination, at } = await twoQemus(t, { bytesPerSecond: 10_000_000_000 });
  const ca = authority(temporaryDirectory(t));
  const security = [ca.security("here", "there"), ca.security("there", "here")] as const;
  const { dial, accept } = await startMigration(t, { source, at, security });
  await Promise.all([source.migrated, destination.migrated]);

  const saved = { val: FILLED.from, size: FILLED.bytes, filename: at("arrived") };
  await destination.execute("pmemsave", saved);
  assert.equal(hashOf(at("arrived")), hashOf(at("memory")));
  const ended = { reason: "both QEMUs ended their streams" };
  assert.deepEqual(await Promise.all([dial.ended, accept.ended]), [ended, ended]);
});

test("a tunnel that is stopped fails the migration, and the source's QEMU keeps the guest", async (t) => {
  // So slow that the migration cannot have ended before the tunnel does.
  const { source, destination, at } = await twoQemus(t, { bytesPerSecond: 1_000_000 });
  const { dial, accept } = await startMigration(t, {
    source,
    at,
    security: [PLAINTEXT, PLAINTEXT],
  });
  await source.active;
  await accept.stop();

  await assert.rejects(source.migrated, /failed/);
  await assert.rejects(destination.migrated, /failed|gone/);
  assert.match((await dial.ended).reason, /the destination's pump/);
  const { status } = (await source.execute("query-status")) as { status: string };
  assert.equal(status, "prelaunch", "as it was before: it can still run here");
});

/** A source with memory to move, and a destination that waits for it on a unix socket. */
async function twoQemus(t: TestContext, { bytesPerSecond }: { bytesPerSecond: number }) {
  const directory = temporaryDirectory(t);
  const at = (name: string) => join(directory, name);
  writeFileSync(at("memory"), randomBytes(FILLED.bytes));
  const loader = `loader,file=${at("memory")},addr=${FILLED.from},force-raw=on`;
  const source = await startQemu(t, at("source.qmp"), ["-device", loader]);
  const destination = await startQemu(t, at("destination.qmp"), ["-incoming", "defer"]);
  const capabilities = ["return-path", "events"].map((capability) => ({ capability, state: true }));
  for (const qemu of [source, destination]) {
    await qemu.execute("migrate-set-capabilities", { capabilities });
  }
  await source.execute("migrate-set-parameters", { "max-bandwidth": bytesPerSecond });
  await destination.execute("migrate-incoming", { uri: `unix:${at("incoming")}` });
  return { source, destination, at };
}

/** Opens the tunnel between the two and lets the source send. */
async function startMigration(
  t: TestContext,
  {
    source,
    at,
    security: [near, far],
  }: {
    source: Awaited<ReturnType<typeof startQemu>>;
    at: (name: string) => string;
    security: readonly [Security, Security];
  },
) {
  const accept = await startTunnel({
    role: "accept",
    listen: { host: "127.0.0.1", ports: [0] },
    connectPath: at("incoming"),
    security: far,
    ...MIGRATION,
  });
  t.after(() => accept.stop());
  const dial = await startTunnel({
    role: "dial",
    listenPath: at("outgoing"),
    address: { host: "127.0.0.1", port: accept.port },
    security: near,
    ...MIGRATION,
  });
  t.after(() => dial.stop());
  await source.execute("migrate", { uri: `unix:${at("outgoing")}` });
  return { accept, dial };
}

/** A QEMU whose vCPUs never run, its monitor, and how its migration went. */
async function startQemu(t: TestContext, qmpPath: string, more: string[]) {
  const server = createServer().listen(qmpPath);
  const connection = once(server, "connection");
  const machine = ["-M", "pc-q35-7.2", "-m", String(MEMORY_MIB), "-accel", "tcg"];
  const quiet = ["-display", "none", "-nodefaults", "-S"];
  const monitor = ["-chardev", `socket,id=q,path=${qmpPath}`, "-mon", "chardev=q,mode=control"];
  const qemu = spawn("qemu-system-x86_64", [...machine, ...quiet, ...monitor, ...more], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const exit = once(qemu, "exit");
  t.after(async () => {
    qemu.kill("SIGKILL");
    await exit;
  });
  const [socket] = (await connection) as [Socket];
  server.close();
  const replies: ((reply: Reply) => void)[] = [];
  let reached: (status: string) => void = () => {};
  let lost: () => void = () => {};
  const active = new Promise<void>((resolve) => {
    reached = (status) => status === "active" && resolve();
  });
  const migrated = new Promise<void>((resolve, reject) => {
    const activate = reached;
    reached = (status) => {
      activate(status);
      if (status === "completed") resolve();
      if (status === "failed") reject(new Error("the migration failed"));
    };
    lost = () => reject(new Error("QEMU is gone"));
  });
  migrated.catch(() => {}); // a test may not look at it
  socket.on("close", () => lost());
  const lines = createInterface({ input: socket });
  lines.on("error", () => {}); // its process is gone; `close` says so
  lines.on("line", (line) => {
    const message = JSON.parse(line) as Reply & { event?: string; data?: { status: string } };
    if (message.event === "MIGRATION") reached(message.data?.status ?? "");
    if ("return" in message || "error" in message) replies.shift()?.(message);
  });
  const execute = async (name: string, parameters?: object): Promise<unknown> => {
    socket.write(`${JSON.stringify({ execute: name, arguments: parameters })}\n`);
    const reply = await new Promise<Reply>((resolve) => replies.push(resolve));
    if (reply.error !== undefined) throw new Error(`${name}: ${reply.error.desc}`);
    return reply.return;
  };
  await execute("qmp_capabilities");
  return { execute, active, migrated };
}

interface Reply {
  readonly return?: unknown;
  readonly error?: { readonly desc: string };
}

function hashOf(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}
