/*
 * Goal: systemd understands the units of deploy/systemd, and what they say agrees with the agents'
 * files beside them. Method: systemd-analyze reads them (with a program in the place of each agent that
 * is there), and the values are compared. That a guest outlives its agent is tested with containers,
 * whose end is harder (test/src/container).
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { parseConfig } from "@ferry/agent-kit";

const SYSTEMD = fileURLToPath(new URL("../../../deploy/systemd", import.meta.url));
const UNITS = readdirSync(SYSTEMD).filter((name) => /\.(service|slice)$/.test(name));
const unit = (name: string) => readFileSync(join(SYSTEMD, name), "utf8");

function verify(change: (text: string) => string): string {
  const dir = mkdtempSync(join(tmpdir(), "ferry-units-"));
  try {
    const paths = UNITS.map((name) => join(dir, name));
    for (const [index, name] of UNITS.entries()) {
      const there = unit(name).replace(/\/usr\/bin\/ferry-[a-z-]+/, "/usr/bin/true");
      writeFileSync(paths[index] ?? "", change(there));
    }
    const done = spawnSync("systemd-analyze", ["verify", "--man=no", ...paths], {
      encoding: "utf8",
    });
    assert.equal(done.error, undefined, "systemd-analyze is missing: apt-get install systemd");
    // What it says of this machine's own units is not about ours.
    return done.stderr
      .split("\n")
      .filter((line) => line.includes("ferry"))
      .join("\n");
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

test("systemd understands every unit", () => {
  assert.equal(
    verify((text) => text),
    "",
  );
  assert.match(
    verify((text) => text.replace("KillMode=mixed", "KilMode=mixed")),
    /KilMode/,
  );
});

test("both agents run under one roof, and are given the time they ask for", () => {
  for (const role of ["source", "destination"] as const) {
    const text = unit(`ferry-${role}-agent.service`);
    const config = parseConfig(readFileSync(join(SYSTEMD, `etc/${role}.yaml`), "utf8"), role);
    const [, stopS = "0"] = /^TimeoutStopSec=(\d+)s$/m.exec(text) ?? [];
    assert.ok(Number(stopS) * 1000 >= config.timeouts.drainMs + 10_000);
    const slice = /^Slice=(.+)$/m.exec(unit("ferry-guests.service"))?.[1];
    assert.deepEqual(config.qemu.cgroups, [`/sys/fs/cgroup/${slice}/ferry-guests.service`]);
    const other = role === "source" ? "destination" : "source";
    const sandbox = (service: string) => service.slice(service.indexOf("KillMode"));
    assert.equal(sandbox(text), sandbox(unit(`ferry-${other}-agent.service`)));
  }
});
