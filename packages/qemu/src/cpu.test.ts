/*
 * Goal: a guest comes only to a processor that has all it has seen. Method: QEMU's own expansions,
 * compared; and differences by hand.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { compareCpu, expandCpuOnHost, neededOf } from "./cpu.js";

const expand = (cpuModel: string, machineType = "pc-q35-7.2") =>
  expandCpuOnHost("qemu-system-x86_64", { machineType, cpuModel, accelerator: "tcg" });

test("a model is spelled out, as text", async () => {
  const cpu = await expand("qemu64");
  assert.equal(cpu.sse2, "true");
  assert.equal(cpu.avx2, "false");
  assert.equal(cpu.vendor, "AuthenticAMD");
  assert.equal(cpu.family, "15");
});

test("features are added and taken away in QEMU's own spelling, whatever their type", async () => {
  const cpu = await expand(
    "qemu64,+avx2,-svm,sse4_1,abm=on,level=0xe,hv-vendor-id=1234,hv-no-nonarch-coresharing=on",
  );
  assert.deepEqual(
    [cpu.avx2, cpu.svm, cpu["sse4.1"], cpu.abm, cpu.level],
    ["true", "false", "true", "true", "14"],
  );
  assert.deepEqual([cpu["hv-vendor-id"], cpu["hv-no-nonarch-coresharing"]], ["1234", "on"]);
});

test("the same model twice is no difference, however it is spelled", async () => {
  assert.deepEqual(compareCpu(await expand("qemu64,+avx2"), await expand("qemu64,avx2=on")), []);
});

test("what a model means depends on the machine type, and the comparison sees it", async () => {
  const [old, now] = await Promise.all([expand("max", "pc-q35-2.4"), expand("max")]);
  assert.deepEqual(compareCpu(now, now), []);
  assert.notDeepEqual(compareCpu(old, now).concat(compareCpu(now, old)), []);
});

test("a feature the guest has seen and would miss is a difference; one it gains is none", async () => {
  const [plain, more] = await Promise.all([expand("qemu64"), expand("qemu64,+avx2,+pclmulqdq")]);
  assert.deepEqual(
    compareCpu(more, plain),
    [
      { feature: "avx2", source: "true", destination: "false" },
      { feature: "pclmulqdq", source: "true", destination: "false" },
      { feature: "pclmuldq", source: "true", destination: "false" },
    ].sort((a, b) => order(more, a.feature) - order(more, b.feature)),
  );
  assert.deepEqual(compareCpu(plain, more), []);
});

function order(properties: Record<string, string>, name: string): number {
  return Object.keys(properties).indexOf(name);
}

for (const [why, source, destination] of [
  ["another family", { family: "6" }, { family: "15" }],
  ["fewer leaves", { level: "13" }, { level: "10" }],
  ["another vendor", { vendor: "AuthenticAMD" }, { vendor: "GenuineIntel" }],
  ["a clock that was pinned", { "tsc-frequency": "2000000000" }, { "tsc-frequency": "0" }],
] as const) {
  test(`a difference: ${why}`, () => {
    const [feature, value] = Object.entries(source)[0] ?? ["", ""];
    assert.deepEqual(compareCpu(source, destination), [
      { feature, source: value, destination: Object.values(destination)[0] },
    ]);
  });
}

test("what is needed of a processor is compared as all of it is, and is much less", async () => {
  const [plain, more] = await Promise.all([expand("qemu64"), expand("max")]);
  for (const [source, destination] of [
    [plain, more],
    [more, plain],
    [plain, plain],
  ] as const) {
    assert.deepEqual(compareCpu(neededOf(source), destination), compareCpu(source, destination));
  }
  assert.ok(Object.keys(neededOf(plain)).length < Object.keys(plain).length / 2);
});

test("a feature that the destination's QEMU has never heard of is a difference", () => {
  assert.deepEqual(compareCpu({ avx10: "true", constructor: "true" }, {}), [
    { feature: "avx10", source: "true", destination: "absent" },
    { feature: "constructor", source: "true", destination: "absent" },
  ]);
});

test("properties that say nothing, keep QEMU's books or repeat another are no difference", () => {
  const source = {
    sgx: "false",
    "avx10-version": "0",
    "hv-vendor-id": "",
    "node-id": "3",
    "legacy-multi-node": "true",
    realized: "true",
    "x-migrate-smi-count": "true",
    "sse4-1": "true",
    sse4_1: "true",
  };
  assert.deepEqual(compareCpu(source, { "node-id": "1", realized: "false", "sse4-1": "true" }), []);
  assert.deepEqual(
    compareCpu(source, {}).map(({ feature }) => feature),
    ["sse4-1"],
  );
});

test("old ways that both know and only one keeps are a difference", () => {
  assert.deepEqual(compareCpu({ "legacy-cache": "true" }, { "legacy-cache": "false" }), [
    { feature: "legacy-cache", source: "true", destination: "false" },
  ]);
});

test("a model QEMU does not know is refused in its words, with and without features", async () => {
  await assert.rejects(expand("nope"), /CPU model 'nope' not found/);
  await assert.rejects(expand("nope,+avx2"), /QEMU does not know the CPU model nope/);
  await assert.rejects(expand("qemu64,+nope"), /'qemu64-x86_64-cpu.nope' not found/);
  await assert.rejects(expand("qemu64", "pc-q35-0.1"), /unsupported machine type/i);
});
