/*
 * Goal: everything that stands in a guest's way is found, each by itself and all of it together. Method: a
 * host that takes the guest, spoilt in one place at a time.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseConfig } from "@ferry/agent-kit";
import { type AdmissionHost, type Candidate, findBlockers, refusal } from "./admission.js";
import type { Arrivals } from "./arrivals.js";

const CANDIDATE: Candidate = {
  spec: {
    guestId: "web-1",
    machineType: "pc-q35-7.2",
    cpuModel: "qemu64",
    vcpus: 1,
    memoryBytes: 1024 * 1024,
    disks: [],
    nics: [],
    boot: { kind: "disk" },
    accelerator: "tcg",
  },
  accelerator: "tcg",
  cpuProperties: { sse2: "true" },
  qemuVersion: "7.2.22",
  paused: false,
  sourceAgentId: "host-1/source",
  sourceHostId: "host-1",
  transport: "direct",
  network: "",
  caller: "ann",
};
const CONFIG = "host_id: host-2\nlimits: { arrivals_max: 2, arrivals_per_caller_max: 1 }\n";
const arriving = (caller: string) => ({ caller, record: { guest: { spec: { memoryBytes: 0 } } } });

interface World {
  readonly candidate: Candidate;
  readonly config: string;
  readonly host: object;
  readonly arrivals: object;
}

async function reasonsIn(world: Partial<World>): Promise<string[]> {
  const { candidate = CANDIDATE, config = CONFIG, host = {}, arrivals = {} } = world;
  const whole = {
    config: parseConfig(config, "destination"),
    store: { guestExists: async () => false, guestCount: async () => 0 },
    ports: { free: () => [49_152], first: 49_152, last: 49_152 },
    machineTypes: new Set(["pc-q35-7.2"]),
    kvmNow: async () => ({ works: false, reason: "there is none" }),
    cpuProperties: async () => ({ sse2: "true" }),
    ...host,
  };
  const others = { ofGuest: () => undefined, underWay: () => [], endedCount: 0, ...arrivals };
  // Admission touches nothing else of either.
  const found = await findBlockers(
    candidate,
    whole as unknown as AdmissionHost,
    others as unknown as Arrivals,
  );
  return found.map(({ reason, subject }) => `${reason} ${subject}`);
}

test("a guest comes where nothing stands in its way", async () => {
  assert.deepEqual(await reasonsIn({}), []);
});

const { spec } = CANDIDATE;
const store = (of: object) => ({
  guestExists: async () => false,
  guestCount: async () => 0,
  ...of,
});
const SPOILT: readonly [blocker: string, by: Partial<World>][] = [
  ["SAME_HOST host-2", { candidate: { ...CANDIDATE, sourceHostId: "host-2" } }],
  ["GUEST_RESIDENT_HERE web-1", { host: { store: store({ guestExists: async () => true }) } }],
  ["GUEST_RESIDENT_HERE web-1", { arrivals: { ofGuest: () => ({ migrationId: "m" }) } }],
  ["MACHINE_TYPE_UNKNOWN pc-q35-7.2", { host: { machineTypes: new Set(["pc-q35-9.0"]) } }],
  ["ACCELERATOR_MISSING kvm", { candidate: { ...CANDIDATE, accelerator: "kvm" } }],
  ["CPU_INCOMPATIBLE sse2", { host: { cpuProperties: async () => ({ sse2: "false" }) } }],
  [
    "CPU_INCOMPATIBLE qemu64",
    { host: { cpuProperties: () => Promise.reject(new Error("unknown")) } },
  ],
  [
    `MEMORY_SHORT ${2 ** 50 + 64 * 1024 * 1024} bytes`,
    { candidate: { ...CANDIDATE, spec: { ...spec, memoryBytes: 2 ** 50 } } },
  ],
  ["NO_SLOT arrivals_max", { arrivals: { underWay: () => ["bob", "eve"].map(arriving) } }],
  ["NO_SLOT arrivals_per_caller_max", { arrivals: { underWay: () => [arriving("ann")] } }],
  ["NO_SLOT guests_max", { host: { store: store({ guestCount: async () => 1_024 }) } }],
  ["NO_SLOT endings_max", { arrivals: { endedCount: 100_000 } }],
  ["NO_PORT 1-1", { host: { ports: { free: () => [], first: 1, last: 1 } } }],
  ["NETWORK_UNKNOWN storage", { candidate: { ...CANDIDATE, network: "storage" } }],
  ["TRANSPORT_FORBIDDEN direct_plain", { candidate: { ...CANDIDATE, transport: "direct_plain" } }],
  [
    "PATH_FORBIDDEN /etc/shadow",
    {
      candidate: {
        ...CANDIDATE,
        spec: { ...spec, boot: { kind: "firmware", path: "/etc/shadow" } },
      },
    },
  ],
];
for (const [index, [blocker, by]] of SPOILT.entries()) {
  test(`${index + 1}: ${blocker} is found, and nothing else is`, async () => {
    assert.deepEqual(await reasonsIn(by), [blocker]);
  });
}

test("everything is found together, and the fault names it all", async () => {
  const found = await reasonsIn({
    candidate: { ...CANDIDATE, sourceHostId: "host-2", transport: "direct_plain" },
    arrivals: { endedCount: 100_000 },
  });
  const wanted = ["SAME_HOST host-2", "NO_SLOT endings_max", "TRANSPORT_FORBIDDEN direct_plain"];
  assert.deepEqual(found, wanted);
  const blockers = found.map((each) => {
    const [reason = "", subject = ""] = each.split(" ");
    return { reason, subject, description: "" };
  });
  assert.equal(refusal(blockers).reason, "SAME_HOST");
  assert.deepEqual(refusal(blockers).details.blockers, blockers);
});

test("a host that is only full says which fullness it is; one that is unfit, too, is unfit", () => {
  const of = (...reasons: string[]) =>
    refusal(reasons.map((reason) => ({ reason, subject: "", description: "" }))).reason;
  assert.equal(of("NO_SLOT", "NO_SLOT"), "NO_SLOT");
  assert.equal(of("NO_PORT"), "NO_PORT");
  assert.equal(of("MEMORY_SHORT"), "NO_MEMORY");
  assert.equal(of("NO_SLOT", "MEMORY_SHORT"), "HOST_UNFIT");
  assert.equal(of("NO_SLOT", "GUEST_RESIDENT_HERE"), "GUEST_RESIDENT_HERE");
});
