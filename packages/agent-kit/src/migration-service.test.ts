import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault, Migration } from "@ferry/contract";
import { Changes } from "./changes.js";
import { migrationHandlers } from "./migration-service.js";

const ONE = "00000000-0000-4000-8000-000000000001";
const OTHER = "00000000-0000-4000-8000-000000000002";
const AGENT = "host-1/source";

function setUp() {
  const changes = new Changes();
  const known = new Map<string, Migration>();
  const set = (migrationId: string, phase: string, guestId = "web") => {
    known.set(migrationId, Migration.fromPartial({ migrationId, guestId, phase }));
    changes.bump();
  };
  set(ONE, "begun");
  set(OTHER, "begun", "db");
  return {
    set,
    handlers: migrationHandlers({ changes, migrations: () => [...known.values()] }, AGENT),
  };
}

test("one migration is found by its id, in any spelling", async () => {
  const { handlers } = setUp();
  const { migration } = await handlers.getMigration({
    expectedAgentId: AGENT,
    migrationId: ONE.toUpperCase(),
  });
  assert.equal(migration?.guestId, "web");
});

test("an unknown migration proves nothing, and says so", async () => {
  const { handlers } = setUp();
  const asked = { expectedAgentId: "", migrationId: "00000000-0000-4000-8000-00000000000f" };
  await assert.rejects(
    handlers.getMigration(asked),
    (error) => error instanceof Fault && error.reason === "MIGRATION_UNKNOWN",
  );
});

test("an id that is none is refused, and another agent's call too", async () => {
  const { handlers } = setUp();
  const rejects = (asked: { expectedAgentId: string; migrationId: string }, reason: string) =>
    assert.rejects(
      handlers.getMigration(asked),
      (error) => error instanceof Fault && error.reason === reason,
    );
  await rejects({ expectedAgentId: "", migrationId: "../../etc" }, "INVALID_REQUEST");
  await rejects({ expectedAgentId: "host-2/source", migrationId: ONE }, "WRONG_HOST");
});

test("the list can be of one guest", async () => {
  const { handlers } = setUp();
  const ids = async (guestId: string) =>
    (await handlers.listMigrations({ expectedAgentId: "", guestId })).migrations.map(
      (each) => each.migrationId,
    );
  assert.deepEqual(await ids(""), [ONE, OTHER]);
  assert.deepEqual(await ids("db"), [OTHER]);
  assert.deepEqual(await ids("nobody"), []);
});

test("a watcher sees what is, then every change, and nothing twice", async () => {
  const { set, handlers } = setUp();
  const hangUp = new AbortController();
  const asked = { expectedAgentId: "", migrationId: ONE };
  const watch = handlers.watchMigrations(asked, { signal: hangUp.signal });
  const phase = async () => (await watch.next()).value?.migration?.phase;
  assert.equal(await phase(), "begun");
  const next = phase();
  set(OTHER, "performing", "db"); // not the one that is watched
  set(ONE, "begun"); // the same as before
  set(ONE, "performing");
  assert.equal(await next, "performing");
  const end = watch.next();
  hangUp.abort();
  assert.equal((await end).done, true);
});
