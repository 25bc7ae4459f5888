/*
 * Goal: a guest lives longer than the container of its agent, and than the image that container came
 * from; a guest that has not landed does not. Method: Ferry's own image, built here, in containers with
 * no rights that are ended as a node of Kubernetes ends them; the image is removed to its last name
 * and another one takes its place. Both hosts are of this machine, and every guest is a real one.
 */
import assert from "node:assert/strict";
import { copyFileSync, existsSync, mkdtempSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { guestRunDirectory } from "@ferry/agent-kit";
import type { GuestSpec } from "@ferry/contract";
import { connect } from "@ferry/qmp";
import { type Manifest, render } from "../deploy/render.js";
import { Steps } from "../e2e/support/steps.js";
import { tickerPath } from "../guests/ticker.js";
import type { AgentProcess } from "../harness/agent-process.js";
import { TestGuest, tickerSpec } from "../harness/guests.js";
import { Hosts, type TestHost } from "../harness/hosts.js";
import { move } from "../harness/move.js";
import { isRunning, processesMentioning } from "../harness/processes.js";
import { until } from "../harness/until.js";
import { Containers } from "./containers.js";
import { BUNDLE, Image, run, whyNoContainers } from "./image.js";

// CI must have what it takes: there it fails, and says what is missing.
const skip = process.env.CI === "true" ? false : whyNoContainers() || false;
/** One whose containers are privileged. */
const OVERLAY = fileURLToPath(new URL("../../../deploy/kubernetes/overlays/kvm", import.meta.url));
const UPGRADED = "00000000deadbeef";
const RESET_MS = 60_000;

let dir: string;
let image: Image;
let containers: Containers;
let hosts: Hosts;

before(
  async () => {
    if (skip) return;
    assert.equal(whyNoContainers(), "");
    dir = mkdtempSync(join(tmpdir(), "fc-"));
    image = Image.build(dir);
    containers = new Containers(dir, image);
    hosts = await Hosts.start({
      patient: true,
      config: { qemu: { accelerator: "tcg", bundle: BUNDLE, cgroups: "auto" } },
      command: (role, configPath, shared) => {
        containers.prepareHost(configPath, shared);
        return containers.command(role, configPath, shared);
      },
    });
    copyFileSync(tickerPath, join(hosts.dir, "ticker.bin"));
  },
  { timeout: 900_000 },
);

after(async () => {
  await containers?.kill();
  await hosts?.close();
  await containers?.close();
  if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
});

/** A guest whose kernel lies where the containers see it. */
function spec(guestId: string, machineType = "q35"): GuestSpec {
  const { boot, ...rest } = tickerSpec(guestId, { hz: 25, ram: 8, memoryMib: 32 });
  assert.equal(boot?.$case, "kernel");
  const value = { ...boot.value, path: join(hosts.dir, "ticker.bin") };
  return { ...rest, machineType, boot: { $case: "kernel", value } };
}

const copyOf = (host: TestHost, digest: string) => join(host.stateDir, "qemu", digest);

/** Starts agents that were ended with their containers, in new ones. */
async function startAll(agents: readonly AgentProcess[]): Promise<void> {
  await Promise.all(agents.map((agent) => agent.kill9())); // runc, if it is not gone yet
  for (const agent of agents) agent.start();
  await Promise.all(agents.map((agent) => agent.ready()));
}

/** A guest that waits at `to` for its memory, and that nobody has ordered to land. */
async function prepared(from: TestHost, to: TestHost) {
  const guest = await TestGuest.start(from, spec("half-way"));
  const steps = new Steps({ guestId: "half-way", from, to });
  await steps.begin();
  const tether = steps.prepare();
  await tether.ready();
  const arrival = guestRunDirectory(to.runDir, steps.migrationId);
  const { pid } = await until("QEMU to wait for the guest", () =>
    processesMentioning(`${arrival}/`).find((each) => exeOf(each.pid).includes("qemu-system")),
  );
  return { guest, tether, pid };
}

test("the image has nothing that can be written, and nothing that only development needs", {
  skip,
}, () => {
  assert.deepEqual(image.faults(), []);
});

test("in the image, what a privileged container starts leaves the agent no capability", {
  skip,
}, () => {
  for (const words of beforeAgents(render(OVERLAY))) {
    const told = run("chroot", [image.layer, ...words, "setpriv", "--dump"]); // what it would be executed with
    assert.match(told, /^Capability bounding set: \[none\]$/m);
    assert.match(told, /^Inheritable capabilities: \[none\]$/m);
    assert.match(told, /^no_new_privs: 1$/m);
  }
});

test("a guest outlives its agents' containers and their image; one that has not landed does not", {
  skip,
}, async () => {
  const [from, to] = hosts.pair;
  const walker = await TestGuest.start(from, spec("walker"));
  const sitter = await TestGuest.start(from, spec("sitter", "pc"));
  const half = await prepared(from, to);
  await Promise.all([walker.ticksOn(), sitter.ticksOn()]);
  const old = copyOf(from, image.digest);
  for (const pid of [walker.qemuPid, sitter.qemuPid, half.pid]) {
    assert.ok(exeOf(pid).endsWith(`/qemu/${image.digest}/usr/bin/qemu-system-x86_64`));
    assert.ok(!readFileSync(`/proc/${pid}/cgroup`, "utf8").includes(containers.cgroup));
  }

  const next = image.upgraded(join(dir, "image-2"), UPGRADED);
  await containers.kill();
  image.remove();
  await until("the prepared guest to be gone", () => !isRunning(half.pid));
  half.tether.close();
  await Promise.all([walker.ticksOn(), half.guest.ticksOn()]); // no agent, no container, no image
  // QEMU's own view: its copy is there, and of the image it came from nothing is.
  // (A file that nobody looked at before: the kernel remembers the others for a while.)
  const seenBy = (path: string) => join(`/proc/${walker.qemuPid}/root`, path);
  assert.ok(existsSync(seenBy(join(old, "usr/share/seabios/bios-256k.bin"))));
  assert.ok(existsSync(join(next.layer, "usr/bin/perl")) && !existsSync(seenBy("/usr/bin/perl")));
  containers.image = next;
  await startAll(hosts.all.flatMap(({ source, destination }) => [source, destination]));

  // Found again, and still on the QEMU they were started with.
  const pids = [walker.qemuPid, sitter.qemuPid];
  const found = [await walker.livesAt(from), await sitter.livesAt(from)];
  assert.deepEqual(
    found.map(({ qemuPid }) => qemuPid),
    pids,
  );
  assert.ok(found.every(({ qemuBinary }) => qemuBinary.startsWith(`${old}/`)));
  assert.ok(existsSync(copyOf(from, UPGRADED)));

  await resetsAndPlugs(sitter, guestRunDirectory(from.runDir, "sitter"));
  const outcome = await move("walker", from, to);
  assert.equal(outcome.verdict, "landed", JSON.stringify(outcome.why));
  const landed = await walker.livesAt(to);
  assert.ok(landed.qemuBinary.startsWith(`${copyOf(to, UPGRADED)}/`));
  await walker.memoryIsWhole();

  // Nobody runs from the old copy any more: an agent that starts removes it.
  for (const guestId of ["sitter", "half-way"]) {
    await from.client.guests.stop(guestId, { graceMs: 0 });
  }
  await containers.kill("source");
  await startAll(hosts.all.map(({ source }) => source));
  await until("the old QEMU to be removed", () => !existsSync(old));
  assert.ok(existsSync(copyOf(from, UPGRADED)));
  await walker.ticksOn();
});

/** It boots again from its ROMs, and loads one more from a file that the old image brought. */
async function resetsAndPlugs(guest: TestGuest, runDir: string): Promise<void> {
  const boots = () => guest.consoles.text().split("boot ").length - 1;
  const qmp = await connect(join(runDir, "debug.qmp"), { timeoutMs: 20_000 });
  try {
    assert.equal(boots(), 1);
    await qmp.execute("system_reset");
    await until("the guest to boot again", () => boots() === 2, RESET_MS);
    await qmp.execute("device_add", { driver: "virtio-net-pci", id: "plugged", bus: "pci.0" });
    await assert.rejects(
      qmp.execute("device_add", { driver: "e1000", romfile: "not-there.rom", bus: "pci.0" }),
      /not-there\.rom/, // so the other one's file was found
    );
  } finally {
    qmp.close();
  }
}

/** What the containers of both agents start before the agent itself. */
function beforeAgents(overlay: readonly Manifest[]): string[][] {
  const agents = overlay.find(({ kind }) => kind === "DaemonSet") as unknown as {
    spec: { template: { spec: { containers: { command: string[] }[] } } };
  };
  const found = agents.spec.template.spec.containers.map(({ command }) =>
    command.slice(
      0,
      command.findIndex((word) => word.startsWith("ferry-")),
    ),
  );
  assert.ok(found.length === 2 && found.every((words) => words.length > 0));
  return found;
}

function exeOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return "";
  }
}
