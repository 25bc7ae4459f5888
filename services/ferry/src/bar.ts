/*
 * A progress bar that fits its terminal: what matters least goes first where there is no room, and the bar
 * keeps its length while the numbers beside it change theirs.
 */

/** Parts from the one that matters most; empty ones are left out, and so is all that does not fit beside the bar. */
export function barLine(ratio: number, parts: readonly string[], columns: number): string {
  const width = Math.max(1, columns - 1); // a terminal wraps when its last column is written
  const length = Math.max(5, Math.min(30, Math.floor(width / 4)));
  const full = Math.floor(Math.max(0, Math.min(1, ratio)) * length);
  let line = `${"█".repeat(full)}${"░".repeat(length - full)} ${`${Math.floor(ratio * 100)}`.padStart(3)}%`;
  for (const part of parts) {
    if (part === "") continue;
    if (line.length + 2 + part.length > width) break;
    line += `  ${part}`;
  }
  return shorten(line, width);
}

/** A line that does not wrap. */
export function shorten(line: string, width: number): string {
  return line.length > width ? `${line.slice(0, Math.max(0, width - 1))}…` : line;
}

/** Columns of the terminal that progress is shown on; told anew at each look, since people resize windows. */
export function columnsOf(stream: { readonly columns?: number }): number {
  return stream.columns || 80;
}
