/* What the agents said of a migration, for whoever reads why a row failed. No judge ever reads it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROLES, type Stage } from "./stage.js";

/** The last lines are what matters. */
const LINES_MAX = 40;

export function story(stage: Stage, migrationId: string): string[] {
  const lines = stage.hosts.flatMap((host) =>
    ROLES.flatMap((role) => {
      const text = readFileSync(join(host.dir, `${role}.log`), "utf8");
      return text.split("\n").flatMap((line) => {
        if (!line.includes(migrationId) && !/"level":"?(50|60|error|fatal)/.test(line)) return [];
        const said = parse(line);
        return said === undefined ? [] : [{ ...said, who: `${host.place.name}/${role}` }];
      });
    }),
  );
  lines.sort((a, b) => a.time - b.time);
  const last = new Map<string, string>();
  const news = lines.filter(({ who, msg, err }) => {
    const words = `${msg} ${typeof err === "object" ? err.message : err}`;
    if (last.get(who) === words) return false; // it says so again and again
    last.set(who, words);
    return true;
  });
  const first = lines[0]?.time ?? 0;
  return news.slice(-LINES_MAX).map(({ time, who, msg, reason, heard, err }) => {
    const more = [heard, reason, typeof err === "object" ? err.message : err].filter(Boolean);
    return `+${time - first} ms ${who}: ${msg} ${more.join("; ")}`.trimEnd();
  });
}

interface Line {
  readonly time: number;
  readonly msg: string;
  readonly reason?: string;
  readonly heard?: string;
  readonly err?: string | { readonly message: string };
}

function parse(line: string): Line | undefined {
  try {
    const said = JSON.parse(line) as Omit<Line, "time"> & { time: number | string };
    return { ...said, time: new Date(said.time).getTime() };
  } catch {
    return undefined;
  }
}
