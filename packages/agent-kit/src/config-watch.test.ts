/*
 * Goal: what may change, changes without a restart; what may not, waits and says so; and a file that
 * cannot be used changes nothing, loudly. Method: real files, looked at when the test says so.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { loadConfig } from "./config-file.js";
import { ConfigWatch } from "./config-watch.js";
import { makeLogger } from "./logs.js";
import { makeMetrics } from "./metrics.js";

let dir: string;
let watch: ConfigWatch | undefined;
const lines: string[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "ferry-config-"));
  lines.length = 0;
});
afterEach(() => {
  watch?.stop();
  rmSync(dir, { recursive: true });
});

function watched(text: string) {
  const path = join(dir, "agent.yaml");
  writeFileSync(path, text);
  const config = loadConfig(path, "destination");
  const log = makeLogger({ level: "info", base: {} }, { write: (line) => lines.push(line) });
  const metrics = makeMetrics({ role: "destination", process: false });
  const made = new ConfigWatch({ path, role: "destination", config, log });
  made.follow(config, metrics);
  watch = made;
  const value = async (name: string) => {
    const found = /^ferry_(?:config_\S+|file_refused\{file="config"\}) (\S+)$/m;
    const text = await metrics.registry.getSingleMetricAsString(name);
    return found.exec(text)?.[1];
  };
  return { path, config, log, metrics, watch: made, value };
}

test("what may change is seen by whoever holds the configuration", async () => {
  const { path, config, log, watch, value } = watched("host_id: a\n");
  const { limits } = config;
  let told = 0;
  watch.onChange(() => {
    told += 1;
  });
  writeFileSync(
    path,
    "host_id: a\nlimits: {arrivals_max: 3}\nmigration: {port_last: 49300}\nlog: {level: warn}\n",
  );
  watch.look();
  assert.equal(config.limits.arrivalsMax, 3);
  assert.equal(config.migration.portLast, 49_300);
  assert.equal(log.level, "warn");
  assert.equal(limits.arrivalsMax, 16, "a section is replaced, never half changed");
  assert.equal(told, 1);
  assert.equal(await value("ferry_file_refused"), "0");
  assert.equal(await value("ferry_config_restart_needed"), "0");
});

test("what may not waits for a restart, and that is said", async () => {
  const { path, config, watch, value } = watched("host_id: a\n");
  writeFileSync(
    path,
    "host_id: b\nlisten: 127.0.0.1:1\nlimits: {streams_max: 7, arrivals_max: 7}\n",
  );
  watch.look();
  assert.equal(config.hostId, "a");
  assert.equal(config.listen, "0.0.0.0:7702");
  assert.equal(config.limits.streamsMax, 1_024);
  assert.equal(config.limits.arrivalsMax, 7);
  assert.equal(await value("ferry_config_restart_needed"), "3");
  assert.match(lines.join(""), /"waiting":\["host_id","limits\.streams_max","listen"\]/);
});

test("a file that cannot be used leaves the old values in force, until it is mended", async () => {
  const { path, config, watch, value } = watched("host_id: a\nlimits: {arrivals_max: 5}\n");
  for (const bad of [
    "limits: {arrivals_max: none}",
    "migration: {port_first: 9, port_last: 8}",
    "a: [",
  ]) {
    writeFileSync(path, bad);
    watch.look();
    assert.equal(config.limits.arrivalsMax, 5);
    assert.equal(await value("ferry_file_refused"), "1");
  }
  assert.match(lines.join(""), /agent\.yaml:1: limits\.arrivals_max: .*the old one stays in force/);
  rmSync(path);
  watch.look();
  assert.equal(config.limits.arrivalsMax, 5);
  const said = lines.length;
  watch.look();
  assert.equal(lines.length, said, "one trouble is told once");
  writeFileSync(path, "host_id: a\nlimits: {arrivals_max: 6}\n");
  watch.look();
  assert.equal(config.limits.arrivalsMax, 6);
  assert.equal(await value("ferry_file_refused"), "0");
});
