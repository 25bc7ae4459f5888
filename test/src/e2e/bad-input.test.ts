/*
 * Goal: whatever a caller sends, it is told what is wrong with it and what to do, and nobody is harmed.
 * Method: two hosts with certificates, and one guest that lives on the first; after every bad call it
 * must be there and tick, and nothing else may be.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { connect as connectSocket } from "node:net";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { type Agent, connectHost, type Host, type Method } from "@ferry/client";
import {
  AgentServiceService,
  DestinationServiceService,
  type Disk,
  DiskFormat,
  type FaultRead,
  FinishOrder,
  type GuestSpec,
  MeetRequest,
  type MeetResponse,
  MigrationServiceService,
  PeerServiceService,
  type PrepareResponse,
  readFault,
  SourceServiceService,
  SourceWord,
  Verdict,
} from "@ferry/contract";
import { type ServiceError, status } from "@grpc/grpc-js";
import { TestGuest, tickerSpec } from "../harness/guests.js";
import type { TestHost } from "../harness/hosts.js";
import { type Bench, openBench } from "./support/bench-hosts.js";
import { HeldTether } from "./support/held-tether.js";
import { stagedSpec } from "./support/staging.js";
import { refusal, Steps } from "./support/steps.js";

let bench: Bench;
let guest: TestGuest;
let [one, two]: TestHost[] = [];
before(async () => {
  bench = await openBench({ security: "mtls" });
  [one, two] = bench.hosts.pair;
  guest = await TestGuest.start(host(1), stagedSpec("settled"));
});
after(() => bench?.close());
afterEach(async () => {
  await guest.ticksOn(1);
  const lists = await Promise.all([host(1), host(2)].map(({ client }) => client.guests.list()));
  assert.deepEqual(
    lists.map((list) => list.map(({ guestId }) => guestId)),
    [["settled"], []],
    "something came of a bad call",
  );
});

function host(number: 1 | 2): TestHost {
  const found = number === 1 ? one : two;
  if (found === undefined) throw new Error("not started");
  return found;
}

/** A fault that says which and why; its message must tell a person enough. */
function is(fault: FaultRead | undefined, reason: string, says: RegExp): void {
  assert.equal(fault?.reason, reason, fault?.message);
  assert.match(fault.message, says);
  assert.ok((fault.next ?? "").length > 10, "it says what to do");
}

describe("a call about nothing that is known", () => {
  const steps = () => new Steps({ guestId: "settled", from: host(1), to: host(2) });
  test("an unknown migration", async () => {
    const unknown = /no migration .* is known .*; that proves nothing about the guest/;
    is(await refusal(steps().confirm()), "MIGRATION_UNKNOWN", unknown);
    is(await refusal(steps().abort()), "MIGRATION_UNKNOWN", unknown);
    is(await refusal(steps().land()), "MIGRATION_UNKNOWN", unknown);
    is(await refusal(steps().abandon()), "MIGRATION_UNKNOWN", unknown);
    is(readFault(await steps().perform().ended), "MIGRATION_UNKNOWN", /call Begin/);
  });
  test("an unknown guest", async () => {
    const nobody = new Steps({ guestId: "nobody", from: host(1), to: host(2) });
    is(await refusal(nobody.begin()), "GUEST_UNKNOWN", /no guest nobody lives on host-1/);
    is(await refusal(host(1).client.guests.get("nobody")), "GUEST_UNKNOWN", /nobody/);
    is(await refusal(host(1).client.guests.pause("nobody")), "GUEST_UNKNOWN", /nobody/);
  });
  test("another agent than the one that was meant", async () => {
    const astray = { expectedAgentId: "host-7/destination" };
    is(await refusal(steps().finish(FinishOrder.LAND, astray)), "WRONG_HOST", /meant for host-7/);
    is(
      readFault(await steps().perform({ expectedAgentId: "host-7/source" }).ended),
      "WRONG_HOST",
      /host-7/,
    );
  });
});

describe("a call that is malformed", () => {
  for (const migrationId of [
    "",
    "1",
    "../../etc/passwd",
    "x".repeat(100_000),
    randomUUID().slice(1),
  ]) {
    test(`a migration id like ${JSON.stringify(migrationId.slice(0, 20))}`, async () => {
      const steps = new Steps({ guestId: "settled", from: host(1), to: host(2), migrationId });
      for (const call of [
        () => steps.begin(),
        () => steps.confirm(),
        () => steps.abort(),
        () => steps.land(),
      ]) {
        is(await refusal(call()), "INVALID_REQUEST", /migration_id: a UUID is wanted/);
      }
      is(await steps.prepare().fault(), "INVALID_REQUEST", /migration_id/);
    });
  }

  test("where to perform", async () => {
    const steps = new Steps({ guestId: "settled", from: host(1), to: host(2) });
    await steps.begin();
    for (const destinationAddress of [
      "",
      "host",
      "host:0",
      "host:99999",
      "unix:///tmp/x",
      "a b:1",
      "$(reboot):1",
    ]) {
      const { ended } = steps.perform({ destinationAddress });
      is(readFault(await ended), "INVALID_REQUEST", /destination_address: "host:port"/);
    }
    for (const destinationAgentId of [
      "",
      "host-2",
      "host-2/source",
      "HOST/destination",
      "a/b/destination",
    ]) {
      const { ended } = steps.perform({ destinationAgentId });
      is(readFault(await ended), "INVALID_REQUEST", /destination_agent_id/);
    }
    is(
      readFault(await steps.perform({ downtimeLimitMs: 60_001 }).ended),
      "INVALID_REQUEST",
      /at most 60000/,
    );
    await steps.abort();
  });

  test("how to prepare", async () => {
    const steps = new Steps({ guestId: "settled", from: host(1), to: host(2) });
    await steps.begin();
    const { description } = steps;
    if (description === undefined) throw new Error("Begin described nothing");
    const cases = [
      [{ description: undefined }, /description/],
      [{ description: { ...description, spec: undefined } }, /spec/],
      [{ description: { ...description, sourceAgentId: "host-9/source" } }, /source_agent_id/],
      [{ description: { ...description, accelerator: 0 } }, /accelerator/],
      [{ description: { ...description, accelerator: 77 } }, /description\.accelerator: kvm, tcg/],
      [
        { description: { ...description, spec: { ...description.spec, accelerator: 77 } } },
        /spec\.accelerator: kvm, tcg/,
      ],
      [{ transport: 9 }, /transport/],
      [{ heartbeatIntervalMs: 99 }, /heartbeat_interval_ms/],
      [{ heartbeatIntervalMs: 60_001 }, /heartbeat_interval_ms/],
    ] as const;
    for (const [change, says] of cases) {
      is(await steps.prepare(change as object).fault(), "INVALID_REQUEST", says);
    }
    is(
      await new HeldTether(host(2).client.destination, undefined).beat().fault(),
      "INVALID_REQUEST",
      /must be `open`/,
    );
    await steps.abort();
  });

  test("what to order", async () => {
    const steps = new Steps({ guestId: "settled", from: host(1), to: host(2) });
    for (const order of [FinishOrder.UNSPECIFIED, 17 as FinishOrder]) {
      is(await refusal(steps.finish(order)), "INVALID_REQUEST", /land, abandon or override/);
    }
  });

  test("bytes that are no message", async () => {
    const garbage = Buffer.from("ff".repeat(64), "hex");
    for (const [agent, method] of [
      [host(1).client.source, SourceServiceService.begin],
      [host(1).client.source, SourceServiceService.confirm],
      [host(2).client.destination, DestinationServiceService.finish],
    ] as const) {
      const fault = await refusal(agent.unary(raw(method), garbage, LIMIT));
      is(fault, "INVALID_REQUEST", /cannot be read/);
    }
    const prepare = raw(DestinationServiceService.prepare);
    const error = await endOf(host(2).client.destination, prepare, garbage);
    is(readFault(error), "INVALID_REQUEST", /cannot be read/);
  });

  test("a message that is larger than any may be", async () => {
    const large = new Steps({ guestId: "x".repeat(5 * 1024 * 1024), from: host(1), to: host(2) });
    is(await refusal(large.begin()), "MESSAGE_TOO_LARGE", /message_bytes_max/);
    const padded = Buffer.concat([
      Buffer.from([0x12, 0x80, 0x80, 0xc0, 0x02]),
      Buffer.alloc(5 * 1024 * 1024),
    ]);
    const error = await endOf(
      host(2).client.destination,
      raw(DestinationServiceService.prepare),
      padded,
    );
    assert.equal(error.code, status.RESOURCE_EXHAUSTED);
    is(readFault(error), "MESSAGE_TOO_LARGE", /message_bytes_max/);
  });

  test("bytes that are no HTTP/2, and a connection without a certificate", async () => {
    const { address } = host(2).client.destination;
    for (const bytes of ["GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\xff\xff", "\0".repeat(4096)]) {
      await hungUpOn(address, bytes);
    }
    const plain = connectHost({ source: address, destination: address, plaintext: true });
    await assert.rejects(
      new Promise((resolve, reject) => {
        const request = {
          expectedAgentId: "",
          migrationId: randomUUID(),
          order: FinishOrder.LAND,
          wait: undefined,
          override: undefined,
        };
        plain.destination
          .unary(DestinationServiceService.finish, request, { timeoutMs: 5_000 })
          .then(resolve, reject);
      }),
    );
    plain.close();
  });
});

describe("garbage on a tether that is held", () => {
  for (const kind of ["malformed", "oversized"] as const) {
    test(`${kind}: the guest is not left behind without a tether`, async () => {
      const steps = new Steps({ guestId: "settled", from: host(1), to: host(2) });
      await steps.begin();
      const call = host(2).client.destination.duplex<Buffer, PrepareResponse>(
        raw(DestinationServiceService.prepare) as never,
      );
      const ended = new Promise<ServiceError>((resolve) => call.on("error", resolve));
      const said: string[] = [];
      call.on("data", (bytes: Buffer) => {
        const { event } = DestinationServiceService.prepare.responseDeserialize(bytes);
        if (event !== undefined) said.push(event.$case);
      });
      call.write(
        DestinationServiceService.prepare.requestSerialize({
          message: { $case: "open", value: steps.opening() },
        }),
      );
      await steps.arrivalIn("prepared");
      call.write(
        kind === "malformed" ? Buffer.from("ff".repeat(64), "hex") : Buffer.alloc(5 * 1024 * 1024),
      );
      const reason = kind === "malformed" ? "INVALID_REQUEST" : "MESSAGE_TOO_LARGE";
      assert.equal(readFault(await ended)?.reason, reason);
      assert.ok(said.includes("prepared"));
      const { verdict } = await steps.arrivalIn("returned");
      assert.equal(Verdict[verdict], "RETURNED");
      await steps.abort();
    });
  }
});

describe("a specification that wants more than a guest may have", () => {
  const disk = (path: string, change: Partial<Disk> = {}): Disk[] => [
    { diskId: "root", path, format: DiskFormat.RAW, readOnly: false, ...change },
  ];
  const kernel = (path: string, commandLine = "", initrdPath = ""): Partial<GuestSpec> => ({
    boot: { $case: "kernel", value: { path, initrdPath, commandLine } },
  });
  const evil = (change: Partial<GuestSpec>): GuestSpec => ({ ...tickerSpec("evil"), ...change });

  const malformed: Record<string, [Partial<GuestSpec>, RegExp]> = {
    "a name that climbs": [{ guestId: "../evil" }, /guest_id/],
    "a name that is an option": [{ guestId: "-S" }, /guest_id/],
    "a name with an option in it": [{ guestId: "evil,debug-threads=off" }, /guest_id/],
    "a machine with options": [{ machineType: "q35,accel=kvm" }, /machine_type/],
    "a CPU that is an option": [{ cpuModel: "qemu64 -monitor stdio" }, /cpu_model/],
    "a CPU with a path in it": [{ cpuModel: "qemu64,x=/etc/shadow" }, /cpu_model/],
    "no memory": [{ memoryBytes: 0n }, /memory_bytes/],
    "half a MiB": [{ memoryBytes: 524_288n }, /memory_bytes/],
    "a thousand CPUs": [{ vcpus: 1000 }, /vcpus/],
    "a kernel that climbs": [kernel("/srv/../etc/shadow"), /kernel\.path/],
    "a kernel with options": [kernel("/srv/kernel,readonly=on"), /kernel\.path/],
    "a kernel that is relative": [kernel("kernel"), /kernel\.path/],
    "a ramdisk with an argument": [kernel("/srv/kernel", "", "/srv/a b"), /initrd_path/],
    "a command line of two lines": [kernel("/srv/kernel", "a\nb"), /command_line/],
    "a disk that climbs": [{ disks: disk("/srv/../dev/sda") }, /disks\[0\]\.path/],
    "a disk that is JSON": [{ disks: disk('json:{"driver":"nbd"}') }, /disks\[0\]\.path/],
    "a disk that is a network": [{ disks: disk("nbd:unix:/tmp/x") }, /disks\[0\]\.path/],
    "a disk with options in its name": [{ disks: disk("/srv/a", { diskId: "a,b" }) }, /disk_id/],
    "a disk of a format to be guessed": [{ disks: disk("/srv/a", { format: 0 }) }, /guessing/],
    "a disk twice": [
      { disks: [...disk("/srv/a"), ...disk("/srv/a", { diskId: "b" })] },
      /the same as/,
    ],
    "a network device that is a command": [
      { nics: [{ nicId: "a", mac: "52:54:00:12:34:56", tapName: "x;reboot" }] },
      /tap_name/,
    ],
    "everybody's address": [
      { nics: [{ nicId: "a", mac: "ff:ff:ff:ff:ff:ff", tapName: "" }] },
      /mac/,
    ],
  };
  for (const [words, [change, says]] of Object.entries(malformed)) {
    test(`${words} is refused, by both agents, and the field is named`, async () => {
      const spec = evil(change);
      const fault = await refusal(host(1).client.guests.start(spec));
      is(fault, "INVALID_REQUEST", says);
      is(await prepareDirectly(spec), "INVALID_REQUEST", says);
    });
  }

  test("a specification of tomorrow", async () => {
    const fault = await refusal(host(1).client.guests.start(evil({ formatVersion: 2 })));
    is(fault, "UNSUPPORTED", /upgrade it, or send the older format/);
  });

  const unfit: Record<string, [(dir: string) => Partial<GuestSpec>, string, RegExp]> = {
    "a machine nobody knows": [
      () => ({ machineType: "pc-q35-99.9" }),
      "MACHINE_TYPE_UNKNOWN",
      /does not know/,
    ],
    "a kernel from elsewhere": [() => kernel("/etc/shadow"), "PATH_FORBIDDEN", /\/etc\/shadow/],
    "a kernel that is not there": [(dir) => kernel(join(dir, "none")), "KERNEL_MISSING", /none/],
    "a link that leads elsewhere": [
      (dir) => {
        const link = join(dir, "innocent");
        symlinkSync("/etc/shadow", link);
        return kernel(link);
      },
      "PATH_FORBIDDEN",
      /innocent/,
    ],
    "a disk from elsewhere": [
      () => ({ disks: disk("/dev/null") }),
      "DISK_FORBIDDEN",
      /\/dev\/null/,
    ],
    "a disk that is not there": [
      (dir) => ({ disks: disk(join(dir, "none.img")) }),
      "DISK_MISSING",
      /none\.img/,
    ],
    "a disk whose image names another file": [
      (dir) => {
        const path = join(dir, "leads.qcow2");
        writeFileSync(path, qcow2NamingAFile("/etc/shadow"));
        return { disks: disk(path, { format: DiskFormat.QCOW2 }) };
      },
      "DISK_FORBIDDEN",
      /\/etc\/shadow/,
    ],
  };
  for (const [words, [make, reason, says]] of Object.entries(unfit)) {
    test(`${words} is refused, by both agents, and named`, async () => {
      const spec = evil(make(bench.hosts.dir));
      for (const fault of [
        await refusal(host(1).client.guests.start(spec)),
        await prepareDirectly(spec),
      ]) {
        is(fault, "HOST_UNFIT", says);
        assert.ok(
          fault?.blockers.some((each) => each.reason === reason),
          JSON.stringify(fault?.blockers),
        );
      }
    });
  }

  test("every blocker is told, not the first", async () => {
    const spec = evil({
      machineType: "pc-q35-99.9",
      ...kernel("/etc/shadow"),
      disks: disk("/dev/null"),
    });
    const reasons = (await prepareDirectly(spec))?.blockers.map(({ reason }) => reason) ?? [];
    assert.deepEqual(
      new Set(reasons),
      new Set(["MACHINE_TYPE_UNKNOWN", "PATH_FORBIDDEN", "DISK_FORBIDDEN"]),
    );
  });
});

describe("a deadline", () => {
  test("further away than can be kept is refused, and nothing is prepared", async () => {
    const steps = new Steps({ guestId: "settled", from: host(1), to: host(2) });
    await steps.begin();
    const days = (count: number) => ({ timeoutMs: count * 24 * 60 * 60 * 1000 });
    const request = {
      expectedAgentId: "",
      migrationId: steps.migrationId,
      order: FinishOrder.LAND,
      wait: undefined,
      override: undefined,
    };
    const { destination } = host(2).client;
    for (const count of [25, 60]) {
      const fault = await refusal(
        destination.unary(DestinationServiceService.finish, request, days(count)),
      );
      is(fault, "INVALID_REQUEST", /at most 24 days ahead, or none at all/);
    }
    await steps.abort();
  });

  test("that has passed reaches nobody", async () => {
    const steps = new Steps({ guestId: "settled", from: host(1), to: host(2) });
    const request = {
      expectedAgentId: "",
      migrationId: steps.migrationId,
      guestId: "settled",
      validateOnly: false,
      path: undefined,
    };
    await assert.rejects(
      host(1).client.source.unary(SourceServiceService.begin, request, { timeoutMs: -1 }),
      {
        code: status.DEADLINE_EXCEEDED,
      },
    );
  });
});

describe("a peer that is not the one", () => {
  /** Says one word over Meet, as whoever holds that certificate, and gives the answer or the fault. */
  async function meet(
    as: string,
    word: Partial<MeetRequest>,
  ): Promise<MeetResponse | FaultRead | undefined> {
    const caller = callerWith(as);
    const call = caller.destination.duplex(PeerServiceService.meet);
    try {
      return await new Promise((resolve) => {
        call.on("data", (answer: MeetResponse) => resolve(answer));
        call.on("error", (error: ServiceError) => resolve(readFault(error)));
        const ids = { migrationId: randomUUID(), guestId: "settled" };
        call.write(MeetRequest.fromPartial({ ...ids, sourceAgentId: "host-1/source", ...word }));
      });
    } finally {
      call.cancel();
      caller.close();
    }
  }

  test("a controller may not speak as an agent", async () => {
    const says =
      /PeerService\/Meet is for agent, and ferry:\/\/controller\/controller is controller/;
    is((await meet("controller", {})) as FaultRead, "PEER_ONLY", says);
  });

  test("an agent may not give orders, and a viewer may look and do nothing", async () => {
    const abandon = {
      expectedAgentId: "",
      migrationId: randomUUID(),
      order: FinishOrder.ABANDON,
      wait: undefined,
      override: undefined,
    };
    const finishing = /DestinationService\/Finish is for controller or operator/;
    for (const name of ["host-1", "viewer"]) {
      const caller = callerWith(name);
      const finish = caller.destination.unary(DestinationServiceService.finish, abandon, LIMIT);
      is(await refusal(finish), "FORBIDDEN", finishing);
      caller.close();
    }
    const controller = callerWith("controller");
    const sweep = { expectedAgentId: "", sweep: true };
    const swept = controller.destination.unary(AgentServiceService.listOrphans, sweep, LIMIT);
    is(await refusal(swept), "FORBIDDEN", /sweep is for operator, and ferry:\/\/controller/);
    controller.close();
    const viewer = callerWith("viewer");
    await viewer.destination.unary(
      MigrationServiceService.listMigrations,
      { expectedAgentId: "", guestId: "" },
      LIMIT,
    );
    viewer.close();
  });

  test("an agent may not speak for another host", async () => {
    const other = (await meet("host-2", {})) as FaultRead;
    is(other, "WRONG_PEER", /ferry:\/\/agent\/host-2 is not host-1\/source/);
  });

  test("an agent may not take what was prepared for another, nor hear its key", async () => {
    const steps = new Steps({ guestId: "settled", from: host(1), to: host(2) });
    await steps.begin();
    const tether = bench.keep(steps.prepare());
    await tether.ready();
    const { migrationId } = steps;
    const stolen = (await meet("host-2", {
      migrationId,
      sourceAgentId: "host-2/source",
    })) as FaultRead;
    is(stolen, "WRONG_PEER", /was prepared for guest settled of host-1\/source, not for/);
    const crossed = (await meet("host-1", { migrationId, guestId: "another" })) as FaultRead;
    is(crossed, "WRONG_PEER", /not for another/);
    // A word about an arrival that was never: it is not heard.
    const word = { migrationId, arrival: 7n, word: SourceWord.RELEASED };
    const answer = (await meet("host-1", word)) as MeetResponse;
    assert.equal(Verdict[answer.verdict], "PENDING");
    assert.equal((await steps.arrivalIn("prepared")).tethered, true, "nobody met it");
    tether.cancel();
    await steps.arrivalIn("returned");
    const late = (await meet("host-2", {
      migrationId,
      sourceAgentId: "host-2/source",
      acknowledged: Verdict.RETURNED,
    })) as FaultRead;
    is(late, "WRONG_PEER", /was prepared for guest settled of host-1\/source, not for/);
    await steps.abort();
  });

  test("a source does not send to a host that is not the one Perform named", async () => {
    const steps = new Steps({ guestId: "settled", from: host(1), to: host(2) });
    await steps.begin();
    const tether = bench.keep(steps.prepare());
    await tether.ready();
    const view = steps.perform({ destinationAgentId: "host-1/destination" });
    await view.ended;
    const failed = view.said("failed")?.event;
    assert.match(
      JSON.stringify(failed),
      /DESTINATION_UNREACHABLE.*certificate there belongs to host host-2/,
    );
    tether.cancel();
    await steps.arrivalIn("returned");
    assert.equal(Verdict[(await steps.confirm()).verdict], "RETURNED");
  });
});

const LIMIT = { timeoutMs: 30_000 };

/** A caller with one of the certificates that were made for these hosts. */
function callerWith(name: string): Host {
  const dir = join(bench.hosts.certificatesDir, name);
  const file = name.startsWith("host-") ? "host" : name;
  const read = (each: string) => readFileSync(join(dir, each));
  const tls = { ca: read("ca.crt"), cert: read(`${file}.crt`), key: read(`${file}.key`) };
  const { address } = host(2).client.destination;
  return connectHost({ source: address, destination: address, hostId: "host-2", tls });
}

/** What the destination says to a description that no Begin gave. */
async function prepareDirectly(spec: GuestSpec): Promise<FaultRead | undefined> {
  const steps = new Steps({ guestId: "settled", from: host(1), to: host(2) });
  const { description } = await steps.begin();
  await steps.abort();
  const machineType =
    spec.machineType === "q35" ? (description?.spec?.machineType ?? "") : spec.machineType;
  const cpuModel = spec.cpuModel === "" ? "qemu64" : spec.cpuModel;
  if (description === undefined) throw new Error("Begin described nothing");
  const crafted = { ...description, spec: { ...spec, machineType, cpuModel } };
  return steps.prepare({ description: crafted }).fault();
}

/** The same method, for bytes. */
function raw(method: { readonly path: string }): Method<Buffer, Buffer> {
  return {
    path: method.path,
    requestSerialize: (bytes) => bytes,
    responseDeserialize: (bytes) => bytes,
  };
}

/** How a stream ends whose first message is those bytes. */
function endOf(agent: Agent, method: Method<Buffer, Buffer>, bytes: Buffer): Promise<ServiceError> {
  const call = agent.duplex(method);
  return new Promise((resolve) => {
    call.on("error", (error: ServiceError) => resolve(error));
    call.on("data", () => {});
    call.write(bytes);
  });
}

/** Waits until whoever listens there hangs up on those bytes. */
function hungUpOn(address: string, bytes: string): Promise<void> {
  const [hostName = "", port = ""] = address.split(":");
  return new Promise((resolve) => {
    const socket = connectSocket({ host: hostName, port: Number(port) }, () =>
      socket.write(bytes, "latin1"),
    );
    socket.on("error", () => {});
    socket.on("data", () => {});
    socket.on("close", () => resolve());
  });
}

/** The header of an image that names another file as what lies behind it (docs/interop/qcow2.txt). */
function qcow2NamingAFile(path: string): Buffer {
  const bytes = Buffer.alloc(4096);
  bytes.write("QFI\xfb", 0, "latin1");
  bytes.writeUInt32BE(2, 4);
  bytes.writeBigUInt64BE(1024n, 8); // where the name is
  bytes.writeUInt32BE(path.length, 16);
  bytes.writeUInt32BE(16, 20); // cluster bits
  bytes.writeBigUInt64BE(1_048_576n, 24); // size
  bytes.write(path, 1024, "latin1");
  return bytes;
}
