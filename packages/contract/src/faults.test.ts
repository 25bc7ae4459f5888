/*
 * Goal: what an agent means by a refusal is what its caller reads. Method: a real server that throws,
 * a real client that reads, for every reason there is.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  Client,
  credentials,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type sendUnaryData,
  status,
} from "@grpc/grpc-js";
import { Fault, toStatus } from "./faults.js";
import { GetRequest, type GetResponse, GuestServiceService } from "./gen/ferry/v1/guest_service.js";
import { Any } from "./gen/google/protobuf/any.js";
import { ErrorInfo, Help, QuotaFailure } from "./gen/google/rpc/error_details.js";
import { Status } from "./gen/google/rpc/status.js";
import { readFault } from "./read-fault.js";
import { BLOCKERS, type FaultReason, REASONS } from "./reasons.js";

const { get } = GuestServiceService;
const reasons = Object.keys(REASONS) as FaultReason[]; // the table's own keys

describe("a fault", () => {
  const server = new Server();
  let client: Client;
  let thrown: unknown;

  before(async () => {
    const handler = (
      _call: ServerUnaryCall<GetRequest, GetResponse>,
      callback: sendUnaryData<GetResponse>,
    ) => callback(toStatus(thrown));
    server.addService({ get }, { get: handler });
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
    client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  });

  after(() => {
    client.close();
    server.forceShutdown();
  });

  /** What a caller gets when the server throws `what`. */
  function told(what: unknown): Promise<Error & { code: status; details: string }> {
    thrown = what;
    return new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        get.path,
        get.requestSerialize,
        get.responseDeserialize,
        GetRequest.create(),
        (error) => (error === null ? reject(new Error("no error came")) : resolve(error)),
      );
    });
  }

  for (const reason of reasons) {
    test(`of reason ${reason} arrives whole`, async () => {
      const error = await told(
        new Fault(reason, "100 % of “it” broke\nbadly", { metadata: { migration_id: "m" } }),
      );
      const fault = readFault(error);
      assert.equal(error.code, REASONS[reason].code);
      assert.equal(error.details, "100 % of “it” broke\nbadly");
      assert.equal(fault?.reason, reason);
      assert.equal(fault?.code, REASONS[reason].code);
      assert.equal(fault?.message, "100 % of “it” broke\nbadly");
      assert.deepEqual(fault?.metadata, { migration_id: "m" });
      assert.equal(fault?.next, REASONS[reason].next);
    });
  }

  test("carries blockers, in the order they were found", async () => {
    const blockers = [
      { reason: "CPU_INCOMPATIBLE", subject: "avx2", description: "not on this host" },
      { reason: "DISK_MISSING", subject: "root", description: "no such file" },
    ];
    const fault = readFault(await told(new Fault("HOST_UNFIT", "two things", { blockers })));
    assert.deepEqual(fault?.blockers, blockers);
  });

  test("carries field violations", async () => {
    const fieldViolations = [{ field: "spec.vcpus", description: "1 to 255" }];
    const fault = readFault(await told(new Fault("INVALID_REQUEST", "no", { fieldViolations })));
    assert.deepEqual(fault?.fieldViolations, fieldViolations);
  });

  test("carries verdict and cause", async () => {
    const details = { verdict: "returned", cause: "connection_lost" } as const;
    const fault = readFault(await told(new Fault("TETHER_CUT", "cut", details)));
    assert.equal(fault?.verdict, "returned");
    assert.equal(fault?.cause, "connection_lost");
  });

  test("says when to try again: its own word first, else its reason's", async () => {
    const own = readFault(await told(new Fault("NO_SLOT", "full", { retryAfterMs: 1_250 })));
    assert.equal(own?.retryAfterMs, 1_250);
    const general = readFault(await told(new Fault("NO_SLOT", "full")));
    assert.equal(general?.retryAfterMs, REASONS.NO_SLOT.retryAfterMs);
    const never = readFault(await told(new Fault("GUEST_EXISTS", "there")));
    assert.equal(never?.retryAfterMs, undefined);
  });

  test("too long for the trailers is shortened and says how much was left out", async () => {
    const blockers = Array.from({ length: 500 }, (_, index) => ({
      reason: "DISK_MISSING",
      subject: `disk-${index}`,
      description: "x".repeat(5_000),
    }));
    const fault = readFault(await told(new Fault("HOST_UNFIT", "y".repeat(9_000), { blockers })));
    assert.equal(fault?.message.length, 512);
    assert.equal(fault?.blockers[0]?.subject, "disk-0");
    assert.equal(fault.blockers.length + Number(fault.metadata.omitted), 500);
  });

  test("with half a character in its text still arrives", async () => {
    const fault = readFault(await told(new Fault("INTERNAL", "half \ud83d of it")));
    assert.equal(fault?.message, "half \ufffd of it");
  });

  test("is the only thing that speaks: a bug says nothing of itself", async () => {
    for (const bug of [new Error("secret path /etc/keys"), "secret", undefined, { code: 5 }]) {
      const error = await told(bug);
      assert.equal(error.code, status.INTERNAL);
      assert.equal(error.details, "internal error");
      assert.equal(readFault(error), undefined);
    }
  });
});

test("there is exactly one ErrorInfo, and Help says what to do", () => {
  for (const reason of reasons) {
    const [bytes] = toStatus(new Fault(reason, "no")).metadata.get("grpc-status-details-bin");
    assert.ok(Buffer.isBuffer(bytes));
    const { details, code } = Status.decode(bytes);
    const only = (type: string): Any => {
      const found = details.filter(({ typeUrl }) => typeUrl.endsWith(`/google.rpc.${type}`));
      assert.equal(found.length, 1, `${reason} has ${found.length} ${type}`);
      return found[0] ?? Any.create();
    };
    assert.equal(ErrorInfo.decode(only("ErrorInfo").value).domain, "ferry");
    assert.equal(Help.decode(only("Help").value).links[0]?.description, REASONS[reason].next);
    if (code === status.RESOURCE_EXHAUSTED) {
      assert.equal(QuotaFailure.decode(only("QuotaFailure").value).violations.length, 1);
    }
  }
});

test("errors of others are not faults", () => {
  for (const other of [undefined, null, "x", new Error("x"), { metadata: 1 }]) {
    assert.equal(readFault(other), undefined);
  }
  const torn = toStatus(new Fault("NO_SLOT", "full"));
  torn.metadata.set("grpc-status-details-bin", Buffer.from([0xff, 0xff]));
  assert.equal(readFault(torn), undefined);
});

test("every word is UPPER_SNAKE and says what to do", () => {
  for (const [word, { meaning, next }] of Object.entries({ ...BLOCKERS, ...REASONS })) {
    assert.match(word, /^[A-Z][A-Z0-9_]{1,61}[A-Z0-9]$/);
    assert.match(meaning, /[.]$/);
    assert.match(next, /[.]$/);
  }
});
