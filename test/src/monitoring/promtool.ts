/* Prometheus's own tool, which knows better than we do what Prometheus thinks of a text. */
import { spawnSync } from "node:child_process";

export interface Said {
  readonly ok: boolean;
  readonly text: string;
}

/** Runs promtool. Throws if it is not installed: CI has it, and a test that needs it must not pass without. */
export function promtool(args: readonly string[], input = ""): Said {
  const done = spawnSync("promtool", args, { encoding: "utf8", input, timeout: 60_000 });
  if (done.error !== undefined) {
    throw new Error("promtool is needed: apt-get install prometheus", { cause: done.error });
  }
  return { ok: done.status === 0, text: `${done.stdout}${done.stderr}`.trim() };
}
