/*
 * Goal: a CA is replaced under open calls and cuts none of them. Method: 20 callers, each with a
 * connection and a Meet of its own, over real mTLS; the agent's files go from the old CA by way of
 * both to the new one; every caller is spoken with after every step.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import {
  MeetRequest,
  MeetResponse,
  MigrationServiceClient,
  PeerServiceClient,
} from "@ferry/contract";
import { makeAuthority, type TestAuthority } from "@ferry/tether/certificates-for-tests";
import { ChannelCredentials, status } from "@grpc/grpc-js";
import { ask, failure, until } from "./calls-for-tests.js";
import { Certificates } from "./certificates.js";
import { makeLogger } from "./logs.js";
import { BUILT_IN } from "./policy.js";
import { AGENT_ID, makeRig } from "./server-for-tests.js";

const CALLERS = 20;
const LIST = { expectedAgentId: "", guestId: "" };
const [old, next] = [makeAuthority("old"), makeAuthority("next")];

function credentialsOf(uri: string, signer: TestAuthority): ChannelCredentials {
  const { cert, key } = signer.issue({ uris: [uri] });
  const trusted = Buffer.from(`${old.ca}${next.ca}`);
  return ChannelCredentials.createSsl(trusted, Buffer.from(key), Buffer.from(cert), {
    checkServerIdentity: () => undefined,
  });
}

test(`a CA is replaced under ${CALLERS} open calls: none is cut, and the old CA is worth nothing then`, async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "ferry-rotation-"));
  t.after(() => rmSync(dir, { recursive: true }));
  const files = { cert: join(dir, "crt"), key: join(dir, "key"), ca: join(dir, "ca") };
  const write = (signer: TestAuthority, ca: string) => {
    const { cert, key } = signer.issue({ uris: ["ferry://agent/host-1"] });
    writeFileSync(files.cert, cert);
    writeFileSync(files.key, key);
    writeFileSync(files.ca, ca);
  };
  write(old, old.ca);
  const log = makeLogger({ level: "fatal", base: {} }, { write: () => {} });
  const policy = { current: BUILT_IN };
  const certificates = new Certificates({ files, hostId: "host-1", log, policy });
  t.after(() => certificates.stop());
  const { client } = await makeRig(t, {
    certificates,
    handlers: {
      meet: async ({ requests, write: answer }) => {
        for await (const _request of requests) {
          answer(MeetResponse.fromPartial({ destinationAgentId: AGENT_ID }));
        }
      },
    },
  });

  const callers = Array.from({ length: CALLERS }, (_, index) => {
    const credentials = credentialsOf(`ferry://agent/peer-${index}`, old);
    const call = client(PeerServiceClient, credentials).meet();
    const caller = { answers: 0, cut: undefined as Error | undefined, call };
    call.on("data", () => {
      caller.answers += 1;
    });
    call.on("error", (error: Error) => {
      caller.cut = error;
    });
    t.after(() => call.cancel());
    return caller;
  });
  let rounds = 0;
  const allAnswer = async (when: string) => {
    rounds += 1;
    for (const { call } of callers) call.write(MeetRequest.fromPartial({}));
    await until(`every caller to be answered ${when}`, () =>
      callers.every(({ answers, cut }) => answers === rounds || cut !== undefined),
    );
    assert.deepEqual(
      callers.filter(({ cut }) => cut !== undefined),
      [],
      `cut ${when}`,
    );
  };
  const list = (signer: TestAuthority) => {
    const credentials = credentialsOf("ferry://controller/c", signer);
    const caller = client(MigrationServiceClient, credentials);
    return ask(caller, caller.listMigrations, LIST);
  };

  await allAnswer("before");
  assert.equal((await failure(list(next))).code, status.UNAVAILABLE);

  write(old, `${old.ca}${next.ca}`);
  certificates.look();
  await allAnswer("while both are trusted");
  await list(old);
  await list(next);

  write(next, `${old.ca}${next.ca}`);
  certificates.look();
  await allAnswer("with a certificate of the new one");
  await list(old);
  await list(next);

  write(next, next.ca);
  certificates.look();
  await allAnswer("after the old one is gone");
  await list(next);
  assert.equal((await failure(list(old))).code, status.UNAVAILABLE);
});
