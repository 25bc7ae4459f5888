/* What the demonstration shows: plain lines, and one small picture of where the guest is. */

const WIDTH = 24;

/** Whether lines can be written over. */
const live = process.stdout.isTTY === true && process.env.TERM !== "dumb";
let unfinished = false;

export function print(line = ""): void {
  if (unfinished) process.stdout.write("\r\x1b[K");
  unfinished = false;
  process.stdout.write(`${line}\n`);
}

/** A line that the next one replaces; nothing where that cannot be seen. */
export function passing(line: string): void {
  if (!live) return;
  process.stdout.write(`\r\x1b[K${line.slice(0, (process.stdout.columns ?? 80) - 1)}`);
  unfinished = true;
}

export function bold(text: string): string {
  return live ? `\x1b[1m${text}\x1b[0m` : text;
}

/** Two hosts, and what is on each. */
export function twoHosts(
  [one, two]: readonly [string, string],
  [onOne, onTwo]: readonly [string, string],
  between = "",
): void {
  const cell = (text: string) => text.slice(0, WIDTH).padEnd(WIDTH);
  const line = "─".repeat(WIDTH + 2);
  const middle = between.padStart(5).padEnd(9);
  print(`     ${cell(one)}  ${" ".repeat(9)}   ${cell(two)}`);
  print(`   ┌${line}┐${" ".repeat(9)}┌${line}┐`);
  print(`   │ ${cell(onOne)} │${middle}│ ${cell(onTwo)} │`);
  print(`   └${line}┘${" ".repeat(9)}└${line}┘`);
}

/** "85 ms", "1.4 s". */
export function duration(milliseconds: number): string {
  return milliseconds < 1_000
    ? `${Math.round(milliseconds)} ms`
    : `${(milliseconds / 1_000).toFixed(1)} s`;
}
