/*
 * Where `ferry watch` shows what it hears: JSON, a line per change, or, on a terminal, a table that is drawn
 * over itself and fits the window.
 */
import { Role } from "@ferry/contract";
import { columnsOf, shorten } from "./bar.js";
import { migrationLine, migrationTable, type Seen } from "./migration-lines.js";
import type { Shell } from "./shell.js";

export interface Screen {
  show(seen: Seen): void;
  /** What is said about the agents, not by them. */
  note(text: string): void;
}

export function screenFor(shell: Shell, json: boolean): Screen {
  const note = (text: string) => shell.note(text);
  if (json) {
    return {
      show: ({ host, migration }) =>
        shell.json({ host, role: Role[migration.role]?.toLowerCase(), migration }),
      note,
    };
  }
  if (!shell.drawable) return { show: (seen) => shell.print(migrationLine(seen)), note };
  return new TableScreen(process.stdout, shell);
}

/** The last migrations that fit into so many rows, those under way below all others; and how many more there are. */
export function frame(all: readonly Seen[], columns: number, rows: number): string[] {
  if (all.length === 0) return [shorten("no migration is under way; Ctrl-C ends", columns)];
  const ordered = [...all].sort(
    (a, b) => Number(b.migration.settled) - Number(a.migration.settled),
  );
  const room = Math.max(1, rows - 3); // the head, the line of what is missing, and the cursor's
  const shown = ordered.slice(-room);
  const missing = all.length - shown.length;
  const lines = migrationTable(shown).split("\n");
  if (missing > 0) lines.push(`… and ${missing} more (--json has all)`);
  return lines.map((line) => shorten(line, columns));
}

class TableScreen implements Screen {
  readonly #all = new Map<string, Seen>();
  #lines = 0;

  constructor(
    readonly out: NodeJS.WriteStream,
    readonly shell: Shell,
  ) {
    this.#draw();
  }

  show(seen: Seen): void {
    this.#all.set(`${seen.migration.migrationId} ${seen.host} ${seen.migration.role}`, seen);
    this.#draw();
  }

  note(text: string): void {
    this.#clear();
    this.shell.note(text);
    this.#draw();
  }

  #clear(): void {
    if (this.#lines > 0) this.out.write(`\u001b[${this.#lines}A\u001b[J`);
    this.#lines = 0;
  }

  #draw(): void {
    const lines = frame([...this.#all.values()], columnsOf(this.out), this.out.rows || 24);
    this.#clear();
    this.out.write(`${lines.join("\n")}\n`);
    this.#lines = lines.length;
  }
}
