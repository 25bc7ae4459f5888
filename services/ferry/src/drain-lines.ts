/* A drain's plan and its report, as people read them. */
import type { DrainPlan, DrainReport, LeftGuest, Obstacle } from "@ferry/client";
import { blockerLine } from "./failure.js";
import { table } from "./table.js";
import { count, formatBytes, formatDuration } from "./units.js";

export function planLines(plan: DrainPlan): string[] {
  const { from, moves, left, targets, parallel, takesMs, arriving } = plan;
  const lines: string[] = [];
  if (moves.length > 0) {
    lines.push(
      table(
        ["ORDER", "GUEST", "STATE", "MEMORY", "TO", "STARTS", "TAKES", "ELSE"],
        moves.map((move, index) => [
          `${index + 1}`,
          move.guestId,
          move.state,
          formatBytes(move.memoryBytes),
          move.to,
          `+${formatDuration(move.startsAtMs)}`,
          formatDuration(move.takesMs),
          move.others.join(" ") || "-",
        ]),
      ),
    );
  }
  for (const { guestId, waitsFor } of moves) {
    if (waitsFor !== undefined) lines.push(`${guestId} may have to wait: ${waitsFor}`);
  }
  lines.push(
    table(
      ["TARGET", "GUESTS", "FREE NOW", "FREE AFTERWARDS", "AT ONCE"],
      targets.map(({ name, guests, memoryFreeBytes, memoryAfterBytes, slots, trouble }) =>
        trouble === undefined
          ? [
              name,
              `${guests}`,
              formatBytes(memoryFreeBytes),
              formatBytes(memoryAfterBytes),
              `${slots}`,
            ]
          : [name, `- ${trouble}`],
      ),
    ),
  );
  lines.push(...leftLines(from, left));
  if (arriving > 0)
    lines.push(
      `${count(arriving, "guest")} ${arriving === 1 ? "is on its" : "are on their"} way to ${from}, and moved after that`,
    );
  const time = `about ${formatDuration(takesMs)}`;
  lines.push(
    moves.length === 0
      ? left.length === 0
        ? `${from} has no guests`
        : `no guest of ${from} can move`
      : `${count(moves.length, "guest")} of ${from} would move, ${parallel} at once, in ${time}; ${left.length} would stay`,
  );
  return lines;
}

/** Every guest that stays, with everything that stands in its way. */
export function leftLines(from: string, left: readonly LeftGuest[]): string[] {
  return left.flatMap(({ guestId, description, obstacles, next, reason }) => [
    `${guestId} stays on ${from}: ${description}`,
    ...obstacles.map(obstacleLine),
    ...(reason === "excluded" ? [] : [`  next: ${next}`]),
  ]);
}

export function obstacleLine({ host, blocker }: Obstacle): string {
  return `  ${host}:${blockerLine(blocker).slice(1)}`;
}

export function reportLines(report: DrainReport): string[] {
  const { from, moved, left, gone, durationMs, blackoutMaxMs, empty, next } = report;
  const lines: string[] = [];
  if (moved.length > 0) {
    lines.push(
      table(
        ["GUEST", "TO", "STATE", "BLACKOUT", "TOOK", "TRIES"],
        moved.map(({ guestId, to, state, blackoutMs, durationMs: took, tries }) => [
          guestId,
          to,
          state ?? "?",
          blackoutMs === undefined ? "?" : formatDuration(blackoutMs),
          formatDuration(took),
          `${tries}`,
        ]),
      ),
    );
  }
  lines.push(...leftLines(from, left));
  if (gone.length > 0) lines.push(`gone by themselves meanwhile: ${gone.join(", ")}`);
  const stood =
    blackoutMaxMs === undefined
      ? ""
      : `, none stood still for longer than ${formatDuration(blackoutMaxMs)}`;
  lines.push(
    `${from} is ${empty ? "empty" : "not empty"}: ${count(moved.length, "guest")} moved in ${formatDuration(durationMs)}${stood}; ${left.length} left`,
    ...next.map((each) => `next: ${each}`),
  );
  return lines;
}
