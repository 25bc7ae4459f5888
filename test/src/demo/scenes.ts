/*
 * The scenes. Each moves the guest with the `ferry` command, does something to that command or not, and
 * shows where the guest is afterwards; the guest's own console says whether it noticed.
 */
import { randomUUID } from "node:crypto";
import { guestRunDirectory } from "@ferry/agent-kit";
import { getMigration, type MigrationEvent } from "@ferry/client";
import { Cause } from "@ferry/contract";
import type { TestHost } from "../harness/hosts.js";
import { isRunning, processesMentioning } from "../harness/processes.js";
import { until } from "../harness/until.js";
import { Controller } from "./controller.js";
import { bold, duration, passing, print, twoHosts } from "./picture.js";
import { GUEST_ID, type Stage } from "./stage.js";

/** Slow enough that a person could reach for the plug. */
const SLOW = ["--bandwidth", "8MB/s"] as const;
/** How much is copied before the controller is struck, in bytes. */
const STRUCK_AFTER_BYTES = 8_000_000;

let scenes = 0;

function title(what: string, options: readonly string[], to: string): void {
  scenes += 1;
  print();
  print(bold(`${scenes}. ${what}`));
  print(`   $ ferry migrate ${GUEST_ID} --to ${to} ${options.join(" ")}`.trimEnd());
}

/** Moves the guest, with nothing in the way. */
export async function move(
  stage: Stage,
  what: string,
  [from, to]: readonly [TestHost, TestHost],
  options: readonly string[],
): Promise<void> {
  title(what, options, to.name);
  const controller = start(stage, [from, to], options);
  const outcome = await controller.process.outcome;
  if (outcome?.verdict !== "landed") {
    throw new Error(`the guest did not land: ${outcome?.why?.description ?? "no outcome"}`);
  }
  const before = stage.count();
  await stage.guest.livesAt(to);
  await countsOn(stage);
  show(stage, to);
  const blackout = outcome.blackoutMs ?? outcome.qemuDowntimeMs ?? 0;
  print(
    `   Landed after ${duration(outcome.durationMs)}. The guest stood still for ${duration(blackout)}.`,
  );
  print(
    `   It counted ${before} before it moved and ${stage.count()} by now: none skipped, none twice.`,
  );
}

/** Strikes the controller while it moves the guest, and watches what becomes of both copies. */
export async function strike(
  stage: Stage,
  what: string,
  [from, to]: readonly [TestHost, TestHost],
  { signal, words }: { readonly signal: "SIGKILL" | "SIGSTOP"; readonly words: string },
): Promise<void> {
  title(what, SLOW, to.name);
  let copied = 0;
  const { process: controller, migrationId } = start(stage, [from, to], SLOW, (event) => {
    if (event.kind === "progress") copied = event.progress.transferredBytes;
  });
  await until("the copy to be under way", () => copied >= STRUCK_AFTER_BYTES, 60_000);
  const orphan = arriving(to, migrationId);
  show(stage, from, `QEMU ${orphan}, half full`, "══▶");

  const struckAt = performance.now();
  controller.send(signal);
  print(`   $ kill -${signal.slice(3)} ${controller.pid}     ${words}`);
  passing("   waiting for the half-born copy to die …");
  await until("the half-born copy to die", () => !isRunning(orphan), 30_000);
  const livedMs = performance.now() - struckAt;

  const told = await until("the verdict", async () => {
    const migration = await getMigration(to.client.destination, migrationId);
    return migration.settled && migration;
  });
  const cause = Cause[told.cause] ?? "UNKNOWN";
  print(
    `   The half-born copy lived ${duration(livedMs)} more. Cause: ${cause.toLowerCase().replace("_", " ")}`,
  );
  print(`   ("${told.reason}").`);
  await until("the guest to run at home", async () => {
    const { qemuState, migrationId: held } = await stage.guest.livesAt(from);
    return qemuState === "running" && held === "";
  });
  await countsOn(stage);
  show(stage, from);
  print(`   It counts on at home, ${stage.count()} by now: none skipped, none twice.`);
  if (signal === "SIGSTOP") await thaw(controller);
}

/** A controller that wakes up again hears what happened meanwhile. */
async function thaw(controller: Controller): Promise<void> {
  controller.send("SIGCONT");
  const outcome = await controller.outcome;
  const heard = outcome === undefined ? "nothing" : `the guest ${outcome.verdict}`;
  print(`   The controller thaws, and hears what happened meanwhile: ${heard}.`);
}

function start(
  stage: Stage,
  [from, to]: readonly [TestHost, TestHost],
  options: readonly string[],
  seen: (event: MigrationEvent) => void = () => {},
) {
  const migrationId = randomUUID();
  const order = { guestId: GUEST_ID, from: from.name, to: to.name, migrationId, options };
  const process = new Controller(stage.hostsFile, order, (event) => {
    if (event.kind === "progress") {
      const percent = Math.round(event.progress.ratio * 100);
      const megabytes = Math.round(event.progress.transferredBytes / 1e6);
      passing(`   copying: ${percent} %, ${megabytes} MB`);
    }
    seen(event);
  });
  return { process, migrationId };
}

/** Process id of the QEMU that waits for the guest there. */
function arriving(host: TestHost, migrationId: string): number {
  const dir = guestRunDirectory(host.runDir, migrationId);
  const qemu = processesMentioning(`${dir}/`).find(({ commandLine }) =>
    /^\S*qemu/.test(commandLine),
  );
  if (qemu === undefined) throw new Error(`no QEMU of migration ${migrationId} on ${host.name}`);
  return qemu.pid;
}

async function countsOn(stage: Stage): Promise<void> {
  const from = stage.count();
  await until("the guest to count on", () => stage.count() >= from + 5);
}

function show(stage: Stage, home: TestHost, elsewhere = "", between = ""): void {
  const [one, two] = stage.hosts.pair;
  const here = `${GUEST_ID} counts: ${stage.count()}`;
  const atOne = home === one;
  const texts: [string, string] = atOne ? [here, elsewhere] : [elsewhere, here];
  twoHosts([one.name, two.name], texts, between);
}
