/*
 * Goal: a record is found as it was before a step or as it is after it, never half, however the step
 * was interrupted; and a step that was interrupted can be taken again. Method: every life a migration
 * can have on disk, cut after each single change, by a dead process and by two kinds of power loss;
 * then every change refused once. Nothing is sampled.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { z } from "zod";
import { Endings } from "./endings.js";
import { StoreUnwritable } from "./errors.js";
import { Folders } from "./folders.js";
import { MemoryDisk, Stopped } from "./memory-disk-for-tests.js";
import { Migrations } from "./migrations.js";

const PHASES = ["landed", "returned", "perished"] as const;
const record = { name: "test.record", version: 1, schema: z.object({ phase: z.string() }) };
const ending = {
  name: "test.ending",
  version: 1,
  schema: z.object({ migrationId: z.string(), phase: z.string() }),
};

/** The store of a destination, as its agent composes it. */
async function open(disk: MemoryDisk) {
  for (const path of ["/arrivals", "/guests", "/endings"]) await disk.makeDirectory(path);
  await disk.syncDirectory("/");
  const shared = { disk, role: "destination" };
  const guests = new Folders({ ...shared, path: "/guests", format: record });
  const endings = new Endings({ ...shared, path: "/endings", format: ending });
  const folders = new Folders({ ...shared, path: "/arrivals", format: record });
  const arrivals = new Migrations({ folders, endings, phases: PHASES });
  await guests.sync();
  await arrivals.settle();
  await guests.tidy();
  await endings.tidy();
  await arrivals.tidy();
  await rescue(guests, endings);
  return { arrivals, guests, endings };
}

/** Whoever asks for endings looks into the guests' folders as well. */
async function rescue(
  guests: Folders<unknown>,
  endings: Endings<z.infer<typeof ending.schema>>,
): Promise<void> {
  for (const id of await guests.ids()) await endings.rescue(guests, id, "landed");
}

type Store = Awaited<ReturnType<typeof open>>;

/** All that anybody can know. */
async function seen({ arrivals, guests, endings }: Store): Promise<string> {
  await rescue(guests, endings);
  const residents = [];
  for (const id of await guests.ids()) residents.push([id, (await guests.read(id))?.phase]);
  return JSON.stringify({
    arriving: (await arrivals.list()).map(({ phase }) => phase),
    residents,
    ended: (await endings.list()).map(({ body }) => [body.migrationId, body.phase]),
  });
}

interface Step {
  readonly does: string;
  readonly take: (store: Store) => Promise<unknown>;
  /** Its loss in a power failure is allowed. */
  readonly lossy?: true;
}

const create: Step = {
  does: "accept",
  take: ({ arrivals }) =>
    arrivals.create("m", { phase: "preparing" }, (phase) => ({ migrationId: "m", phase })),
};
const update = (phase: string): Step => ({
  does: `write ${phase}`,
  take: ({ arrivals }) => arrivals.update("m", { phase }, "fsync"),
});
const foresee = (phase: string): Step => ({
  does: `foresee ${phase}`,
  take: ({ arrivals }) => arrivals.foresee("m", { phase }),
});
const jot = (phase: string): Step => ({
  does: `jot ${phase}`,
  take: ({ arrivals }) => arrivals.update("m", { phase }, "write"),
  lossy: true,
});
const end = (phase: "returned" | "perished"): Step => ({
  does: `end ${phase}`,
  take: ({ arrivals }) => arrivals.end("m", phase),
});
const ready = (phase: "returned" | "perished"): Step => ({
  does: `ready to end ${phase}`,
  take: ({ arrivals }) => arrivals.readyEnd("m", phase),
});
const land: Step = {
  does: "land",
  take: ({ arrivals, guests }) => arrivals.handOver("m", "landed", guests, "g"),
};
const annotate: Step = {
  does: "annotate",
  take: async ({ guests, endings }) => {
    await rescue(guests, endings);
    await endings.annotate("m", { migrationId: "m" });
  },
};
const clear: Step = { does: "clear", take: ({ arrivals }) => arrivals.clear("m"), lossy: true };
/** And its second half never comes. */
const hide: Step = { does: "hide", take: ({ arrivals }) => arrivals.hide("m"), lossy: true };
const acknowledge: Step = { does: "acknowledge", take: ({ endings }) => endings.acknowledge("m") };
const stop: Step = {
  does: "stop the guest",
  take: async ({ guests, endings }) => {
    await endings.rescue(guests, "g", "landed");
    await endings.sync();
    await guests.remove("g");
  },
};
const sweep: Step = {
  does: "sweep",
  take: async ({ arrivals, endings }) => {
    await endings.acknowledge("m"); // may have been lost
    await arrivals.sweep(new Date(Date.now() + 8 * 24 * 3_600_000));
  },
  lossy: true,
};

const LIVES: readonly (readonly Step[])[] = [
  [create, update("landing"), land, annotate, acknowledge, stop],
  [create, jot("prepared"), end("returned"), clear, annotate, acknowledge, sweep],
  [create, update("landing"), end("perished"), clear],
  [create, foresee("landing"), update("landing"), update("relanding"), land, annotate],
  [create, ready("returned"), end("returned"), hide, annotate, acknowledge, sweep],
  [create, ready("returned"), update("landing"), end("perished"), hide, clear],
  [create, foresee("landing"), jot("other"), update("other"), end("returned")],
];

for (const life of LIVES) {
  describe(life.map(({ does }) => does).join(", "), () => {
    for (const syncs of ["one directory", "the journal"] as const) {
      for (const crash of ["process died", "power lost"] as const) {
        test(`is whole when the ${crash}, where a sync keeps ${syncs}`, () =>
          everyCut(life, (disk) => disk.after(crash), syncs, crash === "power lost"));
      }
    }
    for (const syncs of ["one directory", "the journal"] as const) {
      test(`what a successor reads outlives a power loss, where a sync keeps ${syncs}`, () =>
        whatIsReadLasts(life, syncs));
    }
    for (const code of ["ENOSPC", "EIO", "EROFS"]) {
      test(`goes on after one ${code}`, () => everyRefusal(life, code));
    }
  });
}

/** Stops a life after each of its changes, looks at what is left, and goes on from there. */
async function everyCut(
  life: readonly Step[],
  find: (disk: MemoryDisk) => MemoryDisk,
  syncs: MemoryDisk["syncs"],
  forgetful: boolean,
): Promise<void> {
  const states = await statesOf(life);
  for (let cut = 0; ; cut += 1) {
    const disk = new MemoryDisk(syncs);
    const store = await open(disk);
    disk.stopAfter = disk.steps + cut;
    const reached = await takeAll(life, store);
    const found = find(disk);
    const reopened = await open(found);
    const state = await seen(reopened);
    const first = forgetful ? lastKept(life, reached) : reached;
    const allowed = states.slice(first, reached + 2);
    const where = `cut after ${cut} changes, in "${life[reached]?.does}"`;
    assert.ok(allowed.includes(state), `${where}: ${state}\n${found.paths().join("\n")}`);
    assert.deepEqual(
      found.paths().filter((path) => path.includes("/.")),
      [],
      where,
    );
    const ended = (await reopened.endings.ids()).length > 0;
    assert.ok(!(ended && found.paths().includes("/arrivals/m")), `${where}: a folder is left`);
    if (reached === life.length) return;
    // `create` is not repeated: an agent that finds no record knows of no migration.
    if (state === states[reached] && reached > 0) {
      await life[reached]?.take(reopened);
      assert.equal(await seen(reopened), states[reached + 1], where);
    }
  }
}

/** Stops a life after each of its changes; what is seen afterwards may have been told to somebody. */
async function whatIsReadLasts(life: readonly Step[], syncs: MemoryDisk["syncs"]): Promise<void> {
  for (let cut = 0; ; cut += 1) {
    const disk = new MemoryDisk(syncs);
    const store = await open(disk);
    disk.stopAfter = disk.steps + cut;
    const reached = await takeAll(life, store);
    disk.stopAfter = Number.POSITIVE_INFINITY; // the process died, and the disk goes on
    const told = await seen(await open(disk));
    const left = await seen(await open(disk.after("power lost")));
    assert.equal(left, told, `cut after ${cut} changes, in "${life[reached]?.does}"`);
    if (reached === life.length) return;
  }
}

/** Refuses each change of a life once: the step says so and can be taken again. */
async function everyRefusal(life: readonly Step[], code: string): Promise<void> {
  const states = await statesOf(life);
  for (let refused = 0; ; refused += 1) {
    const disk = new MemoryDisk();
    const store = await open(disk);
    const target = disk.steps + refused;
    disk.refuse = (step) => (step === target ? code : undefined);
    // Looking takes the ending out of a landed guest's folder, which may be what is refused.
    const look = () => seen(store).catch(() => seen(store));
    for (const [index, step] of life.entries()) {
      const where = `change ${refused} refused, in "${step.does}"`;
      try {
        await step.take(store);
      } catch (error) {
        assert.ok(error instanceof StoreUnwritable, `${where}: ${String(error)}`);
        const state = await look();
        assert.ok(states.slice(index, index + 2).includes(state), `${where}: ${state}`);
        await step.take(store);
      }
      const afterPowerLoss = await seen(await open(disk.after("power lost")));
      const kept = states.slice(lastKept(life, index + 1), index + 2);
      assert.ok(kept.includes(afterPowerLoss), `${where}, power lost: ${afterPowerLoss}`);
      assert.equal(await look(), states[index + 1], where);
    }
    if (disk.steps <= target) return;
  }
}

/** What is seen before the first step, and after each. */
async function statesOf(life: readonly Step[]): Promise<string[]> {
  const store = await open(new MemoryDisk());
  const states = [await seen(store)];
  for (const step of life) {
    await step.take(store);
    states.push(await seen(store));
  }
  return states;
}

/** How many steps were taken before everything stopped. */
async function takeAll(life: readonly Step[], store: Store): Promise<number> {
  for (const [index, step] of life.entries()) {
    try {
      await step.take(store);
    } catch (error) {
      if (!(error instanceof Stopped)) throw error;
      return index;
    }
  }
  return life.length;
}

/** The last step before `reached` that a power loss must not undo, counted from 1. */
function lastKept(life: readonly Step[], reached: number): number {
  let kept = 0;
  for (const [index, step] of life.slice(0, reached).entries()) if (!step.lossy) kept = index + 1;
  return kept;
}
