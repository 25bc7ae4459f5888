/*
 * What of a configuration may change while the agent runs. Whatever is looked at whenever it is needed
 * may; whatever was handed over once, at the start (ports that are listened on, folders that are locked,
 * sizes given to the gRPC server), may not, and waits for a restart. Pure; config-watch.ts reads the file.
 */
import type { Config } from "./config.js";

/** Sections that may change whole, but for what FIXED names. */
const LIVE = ["migration", "limits", "timeouts"] as const;
const FIXED: ReadonlySet<string> = new Set([
  "limits.message_bytes_max",
  "limits.connections_max",
  "limits.streams_max",
]);
const LOG_LEVEL = "log.level";

export interface ConfigChange {
  /** What is in force from now on: the old configuration with everything new that may change. */
  readonly config: Config;
  /** The keys that changed, as the file spells them. */
  readonly taken: readonly string[];
  /** The keys whose new values wait for a restart. */
  readonly waiting: readonly string[];
}

/** What comes of reading `file` while `current` is in force. */
export function configChange(current: Config, file: Config): ConfigChange {
  const now = flat(current);
  const next = flat(file);
  const changed = [...new Set([...now.keys(), ...next.keys()])].filter(
    (key) => JSON.stringify(now.get(key)) !== JSON.stringify(next.get(key)),
  );
  const { messageBytesMax, connectionsMax, streamsMax } = current.limits;
  return {
    config: {
      ...current,
      migration: file.migration,
      limits: { ...file.limits, messageBytesMax, connectionsMax, streamsMax },
      timeouts: file.timeouts,
      log: { ...current.log, level: file.log.level },
    },
    taken: changed.filter(isLive).sort(),
    waiting: changed.filter((key) => !isLive(key)).sort(),
  };
}

function isLive(key: string): boolean {
  if (FIXED.has(key)) return false;
  return key === LOG_LEVEL || LIVE.some((section) => key.startsWith(`${section}.`));
}

/** Every value by its key, spelt as in the file: "limits.arrivals_max". */
function flat(value: object, path = ""): Map<string, unknown> {
  const all = new Map<string, unknown>();
  for (const [name, each] of Object.entries(value)) {
    const key = `${path}${name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`;
    if (typeof each === "object" && each !== null && !Array.isArray(each)) {
      for (const [deeper, leaf] of flat(each, `${key}.`)) all.set(deeper, leaf);
    } else all.set(key, each);
  }
  return all;
}
