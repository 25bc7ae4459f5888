/*
 * Goal: the agents of this release read what the previous one wrote, and settle it as they must; what a
 * later one wrote they refuse, and leave as it is. Method: state directories that the previous release
 * left behind, with a migration in each phase; their QEMUs are long gone, as after a boot.
 */
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type ArrivalRecord, type GuestRecord, residenceOf } from "@ferry/agent-kit";
import { Agent, Guests, listMigrations } from "@ferry/client";
import { GuestState, type Migration, Verdict } from "@ferry/contract";
import { credentials } from "@grpc/grpc-js";
import { until } from "../harness/until.js";
import { filesIn, layOut, type OldHost, type OldRole, rewrite, startOn } from "./old-state.js";

function scratch(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), "fys-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

async function running(t: TestContext, host: OldHost, role: OldRole, dir: string) {
  const agent = await startOn(host, role, dir);
  const address = `127.0.0.1:${agent.port}`;
  const client = new Agent(address, credentials.createInsecure());
  t.after(async () => {
    client.close();
    await agent.stop();
  });
  return { address, client };
}

const phases = (migrations: readonly Migration[]) =>
  Object.fromEntries(migrations.map(({ guestId, phase }) => [guestId, phase]));

/** Every record, begun or ended. */
const records = (state: string) => filesIn(state).filter((path) => path.endsWith(".json"));

for (const later of [false, true]) {
  const words = later ? ", with words in its records that only a later one knows" : "";
  test(`what the previous release left is settled as it must be${words}`, async (t) => {
    const [one, two] = [scratch(t), scratch(t)];
    const states = [layOut("host-1", one), layOut("host-2", two)];
    if (later) {
      const add = (body: Record<string, unknown>) => ({ ...body, later: { known: false } });
      for (const path of states.flatMap(records)) rewrite(path, add);
    }
    const there = await running(t, "host-2", "destination", two);
    // The addresses of the hosts they were written on are nobody's now.
    for (const path of records(states[0] ?? "").filter((each) => each.includes("departures"))) {
      rewrite(path, (body) => ({ ...body, destinationAddress: there.address }));
    }
    const here = await running(t, "host-1", "source", one);

    const settled = { landing: "bereft", perished: "bereft", released: "gone", performing: "gone" };
    const ended = { landed: "departed", kept: "kept" };
    await until("the departures to be settled", async () => {
      const found = phases(await listMigrations(here.client));
      return JSON.stringify(sorted(found)) === JSON.stringify(sorted({ ...settled, ...ended }));
    });
    const arrivals = await listMigrations(there.client);
    assert.deepEqual(sorted(phases(arrivals)), {
      kept: "returned",
      landed: "landed",
      landing: "perished", // `cont` may have been sent before it was gone
      performing: "returned",
      perished: "perished",
      prepared: "returned",
      released: "returned",
    });
    for (const { guestId, verdict } of await listMigrations(here.client)) {
      const told = arrivals.find((each) => each.guestId === guestId)?.verdict ?? 0;
      assert.equal(Verdict[verdict], Verdict[told], `${guestId}: one verdict on both sides`);
    }
    const guests = await new Guests(here.client).list();
    const names = ["kept", "landing", "performing", "perished", "prepared", "released", "resident"];
    assert.deepEqual(guests.map(({ guestId }) => guestId).sort(), names);
    assert.ok(
      guests.every(({ state }) => state === GuestState.LOST),
      "none is started by itself",
    );
  });
}

const sorted = (entries: Record<string, string>) =>
  Object.fromEntries(Object.entries(entries).sort());

test("a guest that came back is not taken for the one that left, whatever the clock says", async (t) => {
  const dir = scratch(t);
  const state = layOut("host-1", dir);
  const other = layOut("host-2", scratch(t));
  cpSync(join(other, "guests", "landed"), join(state, "guests", "landed"), { recursive: true });
  const guest = join(state, "guests", "landed", "record.json");
  let residence = "";
  rewrite(guest, (body) => {
    const { guest } = body as GuestRecord;
    residence = residenceOf({ guest }) ?? "";
    return { guest: { ...guest, since: "2001-01-01T00:00:00.000Z" } }; // the clock jumped back
  });
  const ending = records(state).find(
    (each) => readFileSync(each, "utf8").includes('"departed"') && each.includes("state/endings"),
  );
  rewrite(ending ?? "", (body) => ({ ...body, residence: `1 ${residence}` }));
  const here = await running(t, "host-1", "source", dir);
  const { reason, state: told } = await new Guests(here.client).get("landed");
  assert.equal(GuestState[told], "LOST", reason);
});

const KINDS: readonly (readonly [string, OldHost, OldRole, RegExp])[] = [
  ["a guest", "host-1", "source", /guests\/resident\/record/],
  ["a departure", "host-1", "source", /departures\/[^/]+\/record/],
  ["a source's ending", "host-1", "source", /state\/endings\/[^/]+\.source/],
  ["an arrival", "host-2", "destination", /arrivals\/[^/]+\/record/],
  ["a destination's ending", "host-2", "destination", /state\/endings\/[^/]+\.destination/],
];
for (const [what, host, role, which] of KINDS) {
  test(`${what} that a later release wrote keeps the ${role} agent from starting, and stays`, async (t) => {
    const dir = scratch(t);
    const state = layOut(host, dir);
    const path = records(state).find((each) => which.test(each));
    assert.ok(path, `${which} is among the fixtures`);
    rewrite(path, (body) => body, 2);
    const before = contents(state);
    await assert.rejects(startOn(host, role, dir), (error: Error) => {
      assert.match(error.message, /format version 2, and this agent knows up to 1/);
      assert.ok(error.message.includes(path), "it names the file");
      return true;
    });
    assert.deepEqual(changed(before, contents(state)), [], "nothing was settled");
  });
}

for (const [what, host, role, which] of KINDS.filter(
  ([, , , each]) => !/guests/.test(String(each)),
)) {
  test(`${what} in a phase that a later release knows keeps the ${role} agent from starting, and stays`, async (t) => {
    const dir = scratch(t);
    const state = layOut(host, dir);
    const path = records(state).find((each) => which.test(each));
    assert.ok(path, `${which} is among the fixtures`);
    rewrite(path, (body) => {
      const { arrival } = body as Partial<ArrivalRecord>;
      const inIt = typeof arrival === "object"; // elsewhere it is a number
      return inIt
        ? { ...body, arrival: { ...arrival, phase: "held" } }
        : { ...body, phase: "held" };
    });
    const before = contents(state);
    await assert.rejects(startOn(host, role, dir), (error: Error) => {
      assert.match(
        error.message,
        /has phase "held", which this agent does not know: run the newer/,
      );
      assert.ok(error.message.includes(path), "it names the file");
      return true;
    });
    assert.deepEqual(changed(before, contents(state)), [], "nothing was settled");
  });
}

function contents(state: string): Map<string, string> {
  return new Map(filesIn(state).map((path) => [path, readFileSync(path, "latin1")]));
}

/** Records that are not what they were. Locks, and what a crash left unfinished, may go. */
function changed(before: Map<string, string>, after: Map<string, string>): string[] {
  return [...before.keys()].filter(
    (path) => /record\.json$|endings\//.test(path) && before.get(path) !== after.get(path),
  );
}
