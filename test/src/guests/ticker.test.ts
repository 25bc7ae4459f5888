/*
 * Goal: what the test guest says about migrations must be worth believing. Method: real QEMUs and no
 * Ferry at all; the guest is made to do each thing once, and its memory is spoilt behind its back.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createConnection } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { until } from "../harness/until.js";
import { BareQemu, type BareQemuOptions } from "./bare-qemu.js";
import { Consoles } from "./console.js";
import { BrokenGuest } from "./reading.js";
import { type TickerOptions, tickerCommandLine, tickerPath } from "./ticker.js";

function boot(t: TestContext, options: TickerOptions, extra: readonly string[] = []) {
  const start: BareQemuOptions = {
    kernel: tickerPath,
    commandLine: tickerCommandLine(options),
    extra,
  };
  const qemu = BareQemu.start(start);
  t.after(() => qemu.remove());
  return qemu;
}

async function consolesOf(t: TestContext, ...qemus: readonly BareQemu[]): Promise<Consoles> {
  const consoles = new Consoles();
  t.after(() => consoles.close());
  for (const qemu of qemus) {
    await until("a console", () => existsSync(qemu.consolePath));
    consoles.add(qemu.consolePath);
  }
  return consoles;
}

test("it says which options are in force, ticks, and powers itself down when told", async (t) => {
  const qemu = boot(t, { hz: 200, ram: 8, dirty: 16, check: 512, off: 50 });
  const consoles = await consolesOf(t, qemu);
  assert.equal(await qemu.exited, 0);
  const reading = consoles.read();
  assert.equal(reading.options, "hz=200 ram=8 dirty=16 check=512 off=50 crash=0");
  assert.equal(reading.ticks, 50);
  assert.equal(reading.rounds, Math.floor((50 * 512) / (8 * 256)));
  assert.equal(reading.end, "off");
});

test("it crashes when told", async (t) => {
  const qemu = boot(t, { crash: 5 });
  const consoles = await consolesOf(t, qemu);
  await qemu.exited;
  const { ticks, end } = consoles.read();
  assert.deepEqual({ ticks, end }, { ticks: 5, end: "crash" });
});

test("it powers itself down when the power button is pressed", async (t) => {
  const qemu = boot(t, {});
  const consoles = await consolesOf(t, qemu);
  const qmp = await qemu.monitor();
  await until("the first tick", () => consoles.read().ticks > 0);
  await qmp.execute("system_powerdown");
  assert.equal(await qemu.exited, 0);
  assert.equal(consoles.read().end, "off");
});

test("a reset shows as a second boot", async (t) => {
  const qemu = boot(t, {}, ["-action", "reboot=reset"]);
  const consoles = await consolesOf(t, qemu);
  const qmp = await qemu.monitor();
  t.after(() => qmp.close());
  await until("the first tick", () => consoles.read().ticks > 0);
  await qmp.execute("system_reset");
  await assert.rejects(
    until("a broken console", () => consoles.read() && false),
    (error: unknown) => error instanceof BrokenGuest && /was reset/.test(error.message),
  );
});

test("one byte of its memory changed behind its back is found", async (t) => {
  const qemu = boot(t, { ram: 4, check: 256 });
  const consoles = await consolesOf(t, qemu);
  const qmp = await qemu.monitor();
  t.after(() => qmp.close());
  await until("the first round of checks", () => consoles.read().rounds > 0);
  const gdb = join(qemu.dir, "gdb");
  await qmp.execute("human-monitor-command", {
    "command-line": `gdbserver unix:${gdb},server=on,wait=off`,
  });
  await poke(gdb, 0x2ff123, 0x5a);
  await qmp.execute("cont");
  await assert.rejects(
    until("a broken console", () => consoles.read() && false),
    (error: unknown) => error instanceof BrokenGuest && /0x002ff120/.test(error.message),
  );
});

test("moved by a bare script while it rewrites its memory, its two consoles read like one", async (t) => {
  const options = { ram: 16, dirty: 64, check: 256 };
  const source = boot(t, options);
  const destination = boot(t, options, ["-incoming", "defer", "-S"]);
  const consoles = await consolesOf(t, source, destination);
  const [from, to] = await Promise.all([source.monitor(), destination.monitor()]);
  t.after(() => {
    from.close();
    to.close();
  });
  await until("the first round of checks", () => consoles.read().rounds > 0);

  const uri = `unix:${join(destination.dir, "incoming")}`;
  await to.execute("migrate-incoming", { uri });
  await from.execute("migrate", { uri });
  await until("the copy to complete", async () => {
    const { status } = (await from.execute("query-migrate")) as { status?: string };
    assert.notEqual(status, "failed");
    return status === "completed";
  });
  const before = consoles.read();
  await to.execute("cont");
  await until("two rounds of checks after it", () => consoles.read().rounds >= before.rounds + 2);
  assert.notEqual(consoles.textAt(0), "");
  assert.notEqual(consoles.textAt(1), "");
});

/** Writes one byte into a guest's memory through QEMU's gdb stub, which stops the guest for it. */
async function poke(path: string, address: number, byte: number): Promise<void> {
  const socket = createConnection({ path });
  await once(socket, "connect");
  const packet = `M${address.toString(16)},1:${byte.toString(16)}`;
  const sum = Buffer.from(packet).reduce((total, each) => (total + each) & 0xff, 0);
  socket.write(`+$${packet}#${sum.toString(16).padStart(2, "0")}`);
  let heard = "";
  for await (const chunk of socket) {
    heard += String(chunk);
    if (heard.includes("$OK")) break;
    assert.doesNotMatch(heard, /\$E/);
  }
  socket.destroy();
}
