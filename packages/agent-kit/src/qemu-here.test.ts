import assert from "node:assert/strict";
import { test } from "node:test";
import { Accelerator } from "@ferry/contract";
import { parseConfig } from "./config-file.js";
import { lookAtQemu, toWireBuild } from "./qemu-here.js";

const config = (qemu: string) => parseConfig(`qemu: {${qemu}}`, "source");

test("QEMU says what it is; a CPU model is expanded once", async () => {
  const here = await lookAtQemu(config("accelerator: tcg"));
  assert.equal(here.accelerator, "tcg");
  assert.match(here.kvm.reason, /configuration says tcg/);
  const wire = toWireBuild("/usr/bin/qemu-system-x86_64", here);
  assert.match(wire.version, /^\d+\.\d+/);
  assert.equal(wire.accelerator, Accelerator.TCG);
  assert.ok(wire.machineTypes.includes(wire.machineAliases.q35 ?? ""));

  const machineType = wire.machineAliases.q35 ?? "";
  const first = here.cpuProperties(machineType, "qemu64", "tcg");
  assert.equal(here.cpuProperties(machineType, "qemu64", "tcg"), first);
  assert.ok(Object.keys(await first).length > 10);
});

test("a model that cannot be expanded is asked for again", async () => {
  const here = await lookAtQemu(config("accelerator: tcg"));
  const machineType = here.build.machineAliases.q35 ?? "";
  const first = here.cpuProperties(machineType, "nonsense", "tcg");
  await assert.rejects(first);
  const second = here.cpuProperties(machineType, "nonsense", "tcg");
  assert.notEqual(second, first);
  await assert.rejects(second);
});

test("a QEMU that is not there is named", async () => {
  await assert.rejects(
    lookAtQemu(config("binary: /nowhere/qemu, accelerator: tcg")),
    /\/nowhere\/qemu/,
  );
});
