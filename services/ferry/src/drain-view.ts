/*
 * How a drain looks while it is under way: a bar for each guest that moves and one for the whole on a
 * terminal, plain lines where nobody watches, one JSON object per event for programs.
 */
import type { DrainEvent, DrainProgress, DrainState, Moving } from "@ferry/client";
import cliProgress from "cli-progress";
import { barLine, columnsOf } from "./bar.js";
import { leftLines, obstacleLine, planLines } from "./drain-lines.js";
import type { Shell } from "./shell.js";
import { formatDuration, formatRate } from "./units.js";

/** Plain lines tell of the whole once every so much of it. */
const LINE_EVERY = 0.1;

const STATES: Readonly<Record<DrainState, string>> = {
  running: "resumed: moves begin again",
  paused: "paused: no more moves begin, those under way go on (p resumes)",
  ending:
    "ending: no more moves begin, those under way end as they will; interrupt again to end them too",
  aborting: "ending the moves under way cleanly; interrupt again to leave at once",
};

type Event = DrainEvent;

export class DrainView {
  #bars: cliProgress.MultiBar | undefined;
  #total: cliProgress.SingleBar | undefined;
  readonly #moving = new Map<string, cliProgress.SingleBar>();
  #shown = -1;
  #plans = 0;
  #from = "";

  constructor(
    readonly shell: Shell,
    readonly json: boolean,
  ) {}

  show(event: Event): void {
    if (this.json) {
      this.shell.json(event);
      return;
    }
    switch (event.kind) {
      case "plan":
        this.#from = event.plan.from;
        this.#plans += 1;
        this.#note(
          this.#plans === 1
            ? planLines(event.plan).join("\n")
            : `more to move: ${event.plan.moves.map(({ guestId }) => guestId).join(", ")}`,
        );
        if (event.plan.moves.length > 0) this.#begin();
        return;
      case "started": {
        const { guestId, to, migrationId, attempt } = event;
        const again = attempt > 1 ? `, try ${attempt}` : "";
        if (this.#bars === undefined)
          this.#note(`${guestId} → ${to}${again}, migration ${migrationId}`);
        return;
      }
      case "progress":
        this.#progress(event.progress);
        return;
      case "moved": {
        const { guestId, to, blackoutMs } = event.moved;
        const stood =
          blackoutMs === undefined ? "" : `, stood still for ${formatDuration(blackoutMs)}`;
        this.#note(`${guestId} landed on ${to}${stood}`);
        return;
      }
      case "retry":
        this.#note(
          `${event.guestId} did not move to ${event.to}: ${event.reason}: ${event.description}`,
        );
        for (const obstacle of event.obstacles) this.#note(obstacleLine(obstacle));
        this.#note(`  next: ${event.next}`);
        return;
      case "left":
        for (const line of leftLines(this.#from, [event.left])) this.#note(line);
        return;
      case "gone":
        this.#note(`${event.guestId} does not live on ${this.#from} any more`);
        return;
      case "state":
        this.#note(STATES[event.state]);
        return;
      case "waiting":
        this.#note(`waiting: ${event.message}`);
        return;
      case "report":
        this.end();
    }
  }

  end(): void {
    this.#bars?.stop();
    this.#bars = undefined;
  }

  #begin(): void {
    if (!this.shell.live || this.#bars !== undefined) return;
    this.#bars = new cliProgress.MultiBar({
      format: (_options, { progress }, { parts }: { parts: readonly string[] }) =>
        barLine(progress, parts, columnsOf(process.stderr)),
      hideCursor: true,
      gracefulExit: false, // an interrupt is ours
      stream: process.stderr,
    });
    this.#total = this.#bars.create(100, 0, { parts: ["all"] });
  }

  #progress(progress: DrainProgress): void {
    const { moved, guests, moving, waiting, left, ratio, etaMs, state } = progress;
    if (guests === 0) return; // nothing of nothing is no progress
    const percent = Math.floor(ratio * 100);
    const parts = [`${moved} of ${guests} moved`, `${moving.length} moving`, `${waiting} waiting`];
    if (left > 0) parts.push(`${left} left`);
    const eta = state === "running" ? `ETA ${formatDuration(etaMs)}` : state;
    if (this.#bars === undefined) {
      if (ratio - this.#shown < LINE_EVERY && ratio < 1) return;
      if (this.#shown >= 1) return;
      this.#shown = ratio;
      this.#note(`${percent}%  ${parts.join(", ")}  ${eta}`);
      return;
    }
    this.#total?.update(percent, { parts: [parts[0] ?? "", eta, ...parts.slice(1)] });
    this.#each(moving);
  }

  #each(moving: readonly Moving[]): void {
    const now = new Set(moving.map(({ guestId }) => guestId));
    for (const [guestId, bar] of this.#moving) {
      if (now.has(guestId)) continue;
      this.#bars?.remove(bar);
      this.#moving.delete(guestId);
    }
    for (const { guestId, to, phase, ratio, transferBytesPerSecond } of moving) {
      const speed = transferBytesPerSecond > 0 ? formatRate(transferBytesPerSecond) : "";
      const parts = [`${guestId} → ${to}`, speed, phase || "beginning"];
      const bar = this.#moving.get(guestId) ?? this.#bars?.create(100, 0, { parts });
      if (bar === undefined) continue;
      this.#moving.set(guestId, bar);
      bar.update(Math.floor(ratio * 100), { parts });
    }
  }

  /** A line of its own, above the bars. */
  #note(text: string): void {
    if (this.#bars === undefined) this.shell.note(text);
    else this.#bars.log(`${text}\n`);
  }
}
