/*
 * What only somebody on the host can read: an agent's configuration, its log, its records, its audit log
 * and its metrics. Files are read as they are, from their ends, and nothing is followed or written.
 */
import { constants } from "node:fs";
import { open, readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import type { Bundle } from "./bundle.js";

const LOG_BYTES_MAX = 1024 * 1024;
const RECORD_BYTES_MAX = 64 * 1024;
const RECORDS_MAX = 500;
/** How long the metrics may take, in milliseconds. */
const SCRAPE_MS = 5_000;
const FOLDERS = ["guests", "arrivals", "departures", "endings"];
const AUDITS = ["audit.source.log", "audit.destination.log"];
/** Where a source and a destination agent show their metrics, unless they were told otherwise. */
const METRICS = ["127.0.0.1:9701", "127.0.0.1:9702"];

/** Of an agent's file only what says where to look; what is wrong with the rest is in the bundle to see. */
const places = z.object({
  state_dir: z.string().catch("/var/lib/ferry"),
  metrics_listen: z.string().nullish().catch(null),
  log: z.object({ file: z.string().nullish() }).nullish().catch(null),
});

export async function collectLocal(bundle: Bundle, configs: readonly string[]): Promise<void> {
  const seen = new Set<string>();
  for (const [index, path] of configs.entries()) {
    const name = `local/${index + 1}-${basename(path).slice(0, 40)}`;
    const found = await readConfig(bundle, name, path);
    if (found === undefined) continue;
    const { log, metrics_listen, state_dir } = found;
    if (log?.file) {
      const file = log.file;
      await bundle.add(`${name}/log.jsonl`, `the end of ${file}`, () => tail(file, LOG_BYTES_MAX));
    } else bundle.miss(`log of ${path}`, "it goes to standard output: add what your journal has");
    for (const address of metrics_listen ? [metrics_listen] : METRICS) {
      const port = address.slice(address.lastIndexOf(":") + 1);
      await bundle.add(`${name}/metrics-${port}.txt`, `metrics at ${address}`, () =>
        scrape(address),
      );
    }
    if (!seen.has(state_dir)) await collectState(bundle, state_dir, seen.size + 1);
    seen.add(state_dir);
  }
}

async function readConfig(bundle: Bundle, name: string, path: string) {
  let found: z.output<typeof places> | undefined;
  await bundle.add(`${name}/config.json`, `configuration ${path}`, async () => {
    const config: unknown = parse(await readFile(path, "utf8")) ?? {};
    found = places.parse(config);
    return config;
  });
  return found;
}

async function collectState(bundle: Bundle, stateDir: string, number: number): Promise<void> {
  const into = number === 1 ? "local/state" : `local/state-${number}`;
  for (const name of AUDITS) {
    const file = join(stateDir, name);
    await bundle.add(`${into}/${name}`, `the end of ${file}`, () => tail(file, LOG_BYTES_MAX));
  }
  let records = 0;
  for (const folder of FOLDERS) {
    const dir = join(stateDir, folder);
    let names: string[];
    try {
      const all = await readdir(dir, { recursive: true, withFileTypes: true });
      names = all
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(dir.length + 1));
    } catch (error) {
      bundle.miss(`records in ${dir}`, error instanceof Error ? error.message : String(error));
      continue;
    }
    for (const name of names.sort()) {
      records += 1;
      if (records > RECORDS_MAX) {
        bundle.miss(`further records in ${dir}`, `${RECORDS_MAX} are enough for one report`);
        return;
      }
      const file = join(dir, name);
      await bundle.add(`${into}/${folder}/${name}`.slice(0, 85), `record ${file}`, () =>
        tail(file, RECORD_BYTES_MAX),
      );
    }
  }
}

/** The file's last bytes, from the beginning of a line on. */
async function tail(path: string, bytesMax: number): Promise<string> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw new Error(`${path} is no plain file`);
    const length = Math.min(stat.size, bytesMax);
    const { buffer, bytesRead } = await file.read(
      Buffer.alloc(length),
      0,
      length,
      stat.size - length,
    );
    const text = buffer.toString("utf8", 0, bytesRead);
    return length === stat.size ? text : text.slice(text.indexOf("\n") + 1);
  } finally {
    await file.close();
  }
}

async function scrape(address: string): Promise<string> {
  const host = address.replace(/^(0\.0\.0\.0|\[::\]):/, "127.0.0.1:");
  const response = await fetch(`http://${host}/metrics`, {
    signal: AbortSignal.timeout(SCRAPE_MS),
  });
  if (!response.ok) throw new Error(`it answers ${response.status}`);
  return response.text();
}
