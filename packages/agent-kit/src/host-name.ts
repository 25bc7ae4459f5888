/*
 * The name under which this host's peers know it. It stands in both sides' records, and an agent is heard
 * and answered under that name alone; so a host that is renamed in the middle of a migration would never
 * settle it, and a guest might stand still for good. The name is kept beside the records, and an agent that
 * was given another one starts only if nobody waits for the old one. `host_id` unset is the machine's name,
 * so that a machine that is renamed is all it takes.
 */
import { join } from "node:path";
import { type Disk, Endings, realDisk, StoreRefused, StoreUnwritable } from "@ferry/store";
import type { Logger } from "./logs.js";
import { type EndingRecord, endingFormat } from "./records.js";

const FILE = "host_id";
/** Migrations that are named in the refusal. */
const NAMED_MAX = 3;

export interface HostNameOptions {
  readonly stateDir: string;
  readonly hostId: string;
  readonly log: Logger;
  readonly disk?: Disk;
}

/** Throws StoreRefused if migrations still wait for this host under its former name. */
export async function takeHostName(options: HostNameOptions): Promise<void> {
  const { stateDir, hostId, log, disk = realDisk } = options;
  const path = join(stateDir, FILE);
  const former = (await disk.readFile(path))?.toString("utf8").trim();
  if (former === hostId) return;
  if (former !== undefined && former !== "") {
    const waiting = await waitingIn(stateDir, disk);
    if (waiting.length > 0) throw new StoreRefused(refusal(options, former, waiting));
    log.warn({ former, host_id: hostId }, "this host is renamed: nothing waits for its old name");
  }
  try {
    const beside = `${path}.${process.pid}`;
    await disk.remove(beside);
    await disk.writeFile(beside, Buffer.from(`${hostId}\n`));
    await disk.rename(beside, path);
  } catch (error) {
    // A full disk stops no agent: its name is written down at a later start.
    log.warn({ err: new StoreUnwritable(path, error as Error) }, "the host's name is not kept");
  }
}

function refusal(
  { stateDir, hostId }: HostNameOptions,
  former: string,
  waiting: readonly string[],
) {
  const named = waiting.slice(0, NAMED_MAX).join(", ");
  const more = waiting.length > NAMED_MAX ? ` and ${waiting.length - NAMED_MAX} more` : "";
  return `this host was called ${former}, and ${waiting.length} migration(s) know it by that name and are not settled (${named}${more}): start both agents with host_id: ${former} until \`ferry doctor\` tells of none, then rename it to ${hostId}. If their other hosts are gone for good, settle them with \`ferry resolve\` first. Whoever knows that nobody waits for them removes ${join(stateDir, FILE)}`;
}

/** Migrations, of either role, whose other side asks or is asked under this host's name. */
async function waitingIn(stateDir: string, disk: Disk): Promise<string[]> {
  const waiting = new Set<string>();
  const path = join(stateDir, "endings");
  const names = new Set(await disk.names(path));
  for (const [role, folder] of [
    ["source", "departures"],
    ["destination", "arrivals"],
  ] as const) {
    for (const id of await disk.names(join(stateDir, folder))) {
      // A folder may outlive its ending, and what begins with a dot was never finished.
      if (!id.startsWith(".") && !names.has(`${id}.${role}.json`)) waiting.add(id);
    }
    const endings = new Endings({ disk, role, path, format: endingFormat });
    for (const id of await endings.ids()) {
      if (names.has(`${id}.${role}.acknowledged`)) continue;
      const ending = await endings.read(id).catch(() => "unreadable" as const);
      if (ending === "unreadable" || (ending && isWaitedFor(ending.body))) waiting.add(id);
    }
  }
  return [...waiting].sort();
}

/**
 * Nobody is told `landed` or `perished` but a source that gave its guest away and waits for that word. A
 * `returned` that nobody acknowledged is mostly an arrival that no source ever met.
 */
function isWaitedFor({ phase, overridden, told }: EndingRecord): boolean {
  if (overridden !== undefined && told !== true) return true;
  return phase === "landed" || phase === "perished";
}
