import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import {
  Fault,
  type ListMigrationsResponse,
  MeetRequest,
  MeetResponse,
  Migration,
  MigrationServiceClient,
  readFault,
  type WatchMigrationsResponse,
} from "@ferry/contract";
import { StoreUnwritable } from "@ferry/store";
import { status } from "@grpc/grpc-js";
import { ask, collect, failure, until } from "./calls-for-tests.js";
import { type CallContext, checkAddressee } from "./server.js";
import { AGENT_ID, makeRig } from "./server-for-tests.js";

const LIST = { expectedAgentId: "", guestId: "" };
const WATCH = { expectedAgentId: "", migrationId: "" };
const NOTHING: ListMigrationsResponse = { agentId: AGENT_ID, migrations: [] };

function migration(text: string): WatchMigrationsResponse {
  return { agentId: AGENT_ID, migration: Migration.fromPartial({ reason: text }) };
}

test("a handler gets the request, the deadline and the caller, and its answer travels", async (t) => {
  const seen: CallContext[] = [];
  const { migrations } = await makeRig(t, {
    handlers: {
      list: async ({ guestId }, context) => {
        seen.push(context);
        return { agentId: guestId, migrations: [] };
      },
    },
  });
  const { agentId } = await ask<object, ListMigrationsResponse>(
    migrations,
    migrations.listMigrations as never, // one of several overloads
    { ...LIST, guestId: "web" },
  );
  assert.equal(agentId, "web");
  assert.equal(seen[0]?.deadline, Number.POSITIVE_INFINITY);
  assert.deepEqual(seen[0]?.peer, { kind: "plaintext" });
});

test("a Fault speaks to the caller, and is not logged as a bug", async (t) => {
  const { migrations, lines } = await makeRig(t, {
    handlers: {
      list: async () => {
        throw new Fault("NO_SLOT", "as many as fit", { retryAfterMs: 7_000 });
      },
    },
  });
  const error = await failure(ask(migrations, migrations.listMigrations, LIST));
  assert.equal(error.code, status.RESOURCE_EXHAUSTED);
  assert.equal(readFault(error)?.reason, "NO_SLOT");
  assert.equal(readFault(error)?.retryAfterMs, 7_000);
  assert.doesNotMatch(lines.join(""), /this is a bug/);
});

test("anything else is a bug: the caller learns nothing of it, the log has it whole", async (t) => {
  for (const broken of [
    () => Promise.reject(new Error("secret detail")),
    () => {
      throw new Error("secret detail"); // before there is a promise
    },
  ]) {
    const { migrations, lines } = await makeRig(t, { handlers: { list: broken } });
    const error = await failure(ask(migrations, migrations.listMigrations, LIST));
    assert.equal(error.code, status.INTERNAL);
    assert.doesNotMatch(error.message, /secret/);
    const [line] = lines.filter((each) => /secret detail/.test(each));
    assert.match(line ?? "", /server\.test.*MigrationService\/ListMigrations/s);
  }
});

const code = "EMFILE";
const SHORT = Object.assign(new Error(`${code}: open '/secret'`), { code, syscall: "open" });
for (const [whose, short] of [
  ["its own", SHORT],
  ["its disk's", new StoreUnwritable("/secret", SHORT)],
] as const) {
  test(`an agent without a descriptor says so, that the call may be repeated, and calls it no bug: ${whose}`, async (t) => {
    const { migrations, lines } = await makeRig(t, {
      handlers: { list: () => Promise.reject(short) },
    });
    const error = await failure(ask(migrations, migrations.listMigrations, LIST));
    assert.equal(error.code, status.RESOURCE_EXHAUSTED);
    const fault = readFault(error);
    assert.equal(fault?.reason, "HOST_EXHAUSTED");
    assert.ok(fault.retryAfterMs);
    assert.doesNotMatch(error.message, /secret/);
    assert.match(lines.join(""), /EMFILE/);
    assert.doesNotMatch(lines.join(""), /this is a bug/);
  });
}

test("a disk that cannot be written is told as such", async (t) => {
  const { migrations, lines } = await makeRig(t, {
    handlers: {
      list: async () => {
        throw new StoreUnwritable(
          "/var/lib/ferry/x",
          Object.assign(new Error(), { code: "ENOSPC" }),
        );
      },
    },
  });
  const error = await failure(ask(migrations, migrations.listMigrations, LIST));
  assert.equal(readFault(error)?.reason, "STATE_DIRECTORY_FULL");
  assert.match(lines.join(""), /ENOSPC/);
});

test("a caller that hangs up is heard through the signal", async (t) => {
  const heard: string[] = [];
  const { migrations } = await makeRig(t, {
    handlers: {
      list: async (_request, { signal }) => {
        heard.push("called");
        await once(signal, "abort");
        heard.push("gone");
        return NOTHING;
      },
    },
  });
  const call = migrations.listMigrations(LIST, () => {});
  await until("the handler is called", () => heard.length === 1);
  call.cancel();
  await until("the signal fires", () => heard.length === 2);
});

test("a stream of answers arrives in order and ends well", async (t) => {
  const { migrations } = await makeRig(t, {
    handlers: {
      watch: async function* () {
        for (const word of ["one", "two", "three"]) yield migration(word);
      },
    },
  });
  const { responses, ended } = collect<WatchMigrationsResponse>(migrations.watchMigrations(WATCH));
  assert.equal(await ended, undefined);
  assert.deepEqual(
    responses.map((each) => each.migration?.reason),
    ["one", "two", "three"],
  );
});

test("a Fault in the middle of a stream follows what was sent", async (t) => {
  const { migrations } = await makeRig(t, {
    handlers: {
      watch: async function* () {
        yield migration("one");
        throw new Fault("MIGRATION_UNKNOWN", "no such");
      },
    },
  });
  const { responses, ended } = collect(migrations.watchMigrations(WATCH));
  assert.equal(readFault(await ended)?.reason, "MIGRATION_UNKNOWN");
  assert.equal(responses.length, 1);
});

test("a generator whose caller hangs up is ended, and cleans up", async (t) => {
  const told: string[] = [];
  const { migrations } = await makeRig(t, {
    handlers: {
      watch: async function* (_request, { signal }) {
        try {
          yield migration("one");
          await once(signal, "abort");
          yield migration("nobody reads this");
        } finally {
          told.push("cleaned up");
        }
      },
    },
  });
  const call = migrations.watchMigrations(WATCH);
  call.on("error", () => {});
  await once(call, "data");
  call.cancel();
  await until("the generator is ended", () => told.length === 1);
});

test("a stream goes as fast as its caller reads, and no faster", async (t) => {
  const COUNT = 1_000;
  let made = 0;
  const text = "x".repeat(64 * 1024);
  const { migrations, client } = await makeRig(t, {
    handlers: {
      watch: async function* () {
        for (; made < COUNT; made += 1) yield migration(text);
      },
    },
  });
  const stream = migrations.watchMigrations(WATCH); // nobody reads it yet
  await until("something is made", () => made > 0);
  const other = client(MigrationServiceClient);
  for (let turn = 0; turn < 20; turn += 1) await ask(other, other.listMigrations, LIST);
  assert.ok(made < COUNT / 2, `${made} of ${COUNT} made for a caller that reads none`);
  const { responses, ended } = collect(stream);
  assert.equal(await ended, undefined);
  assert.equal(responses.length, COUNT);
});

test("a conversation goes both ways, and ends well after a half-close", async (t) => {
  const { peer } = await makeRig(t, {
    handlers: {
      meet: async ({ requests, write }) => {
        for await (const { guestId } of requests) {
          write(MeetResponse.fromPartial({ reason: `heard ${guestId}` }));
        }
        write(MeetResponse.fromPartial({ reason: "goodbye" }));
      },
    },
  });
  const call = peer.meet();
  const { responses, ended } = collect<MeetResponse>(call);
  for (const guestId of ["a", "b"]) call.write(MeetRequest.fromPartial({ guestId }));
  call.end();
  assert.equal(await ended, undefined);
  assert.deepEqual(
    responses.map(({ reason }) => reason),
    ["heard a", "heard b", "goodbye"],
  );
});

test("a Fault in a conversation reaches a caller that is still talking", async (t) => {
  const { peer } = await makeRig(t, {
    handlers: {
      meet: async ({ requests }) => {
        for await (const _request of requests) throw new Fault("WRONG_PEER", "not you");
      },
    },
  });
  const call = peer.meet();
  const { ended } = collect(call);
  for (let count = 0; count < 10; count += 1) call.write(MeetRequest.fromPartial({}));
  assert.equal(readFault(await ended)?.reason, "WRONG_PEER");
});

test("a caller that hangs up ends its requests, and writing to it does no harm", async (t) => {
  const told: string[] = [];
  const { peer, lines } = await makeRig(t, {
    handlers: {
      meet: async ({ requests, signal, write }) => {
        // The end of the requests may be heard a moment before the signal.
        for await (const _request of requests) told.push("heard");
        if (!signal.aborted) await once(signal, "abort");
        told.push("gone");
        write(MeetResponse.fromPartial({}));
      },
    },
  });
  const call = peer.meet();
  call.on("error", () => {});
  call.write(MeetRequest.fromPartial({}));
  await until("the first word is heard", () => told.length === 1);
  call.cancel();
  await until("the requests end", () => told.length === 2);
  assert.deepEqual(told, ["heard", "gone"]);
  assert.doesNotMatch(lines.join(""), /this is a bug/);
});

test("a caller that does not read costs bounded memory", async (t) => {
  const WRITES = 2_000;
  const { peer } = await makeRig(t, {
    handlers: {
      meet: async ({ write }) => {
        const response = MeetResponse.fromPartial({ reason: "x".repeat(16 * 1024) });
        for (let count = 0; count < WRITES; count += 1) write(response);
      },
    },
  });
  const { responses, ended } = collect(peer.meet());
  assert.equal(await ended, undefined);
  assert.ok(responses.length > 0 && responses.length < WRITES, `${responses.length} were kept`);
});

test("a call that was meant for another agent is refused by name", () => {
  checkAddressee({ expectedAgentId: "" }, AGENT_ID);
  checkAddressee({ expectedAgentId: AGENT_ID }, AGENT_ID);
  assert.throws(
    () => checkAddressee({ expectedAgentId: "host-2/destination" }, AGENT_ID),
    (error) =>
      error instanceof Fault &&
      error.reason === "WRONG_HOST" &&
      /host-1.*host-2/.test(error.message),
  );
});
