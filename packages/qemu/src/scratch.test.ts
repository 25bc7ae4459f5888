/* Goal: a QEMU that is only asked goes with whoever asks it. Method: a program that asks, killed in the middle of it. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { withScratchQemu } from "./scratch.js";
import { withoutDescriptors } from "./test-descriptors.js";
import { alive, QEMU, until } from "./test-host.js";

const ASKER = fileURLToPath(new URL("fixtures/asker.js", import.meta.url));

test("a QEMU that is being asked dies with its asker", async (t) => {
  const asker = spawn(process.execPath, [ASKER], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => asker.kill("SIGKILL"));
  await once(asker.stdout, "data");
  const children = readFileSync(`/proc/${asker.pid}/task/${asker.pid}/children`, "utf8");
  const pid = Number(children.trim());
  assert.match(readFileSync(`/proc/${pid}/cmdline`, "utf8"), /qemu-system-x86_64/);

  asker.kill("SIGKILL");

  await until(() => !alive(pid), "it is gone");
});

test("a QEMU for whose monitor no descriptor is left is said to be that", async (t) => {
  const ask = () => withScratchQemu(QEMU, ["-M", "none"], async () => "asked");
  await withoutDescriptors(t, () => assert.rejects(ask(), { code: "EMFILE" }));
  assert.equal(await ask(), "asked");
});
