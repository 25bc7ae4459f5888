/* Sizes, rates and times, as people write and read them. */
import { TIMEOUT_MAX_MS } from "@ferry/contract";
import { InvalidArgumentError } from "commander";

const SIZES: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  k: 2 ** 10,
  kib: 2 ** 10,
  m: 2 ** 20,
  mib: 2 ** 20,
  g: 2 ** 30,
  gib: 2 ** 30,
  t: 2 ** 40,
  tib: 2 ** 40,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kbit: 125,
  mbit: 125_000,
  gbit: 125_000_000,
};

/** "256M" and "256MiB" are 2^28 bytes, "100MB" is 10^8. */
export function parseBytes(text: string): number {
  const [, number, unit] = /^([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)$/.exec(text.trim()) ?? [];
  const factor = SIZES[unit?.toLowerCase() ?? "?"];
  if (number === undefined || factor === undefined || unit?.toLowerCase().endsWith("bit")) {
    throw new InvalidArgumentError('a size is wanted, e.g. "256M" or "4GiB"');
  }
  return Math.round(Number(number) * factor);
}

/** "100MB/s", "1Gbit/s", "64MiB/s"; bytes per second. */
export function parseRate(text: string): number {
  const [, number, unit] =
    /^([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]+)(?:\/s|ps)$/i.exec(text.trim()) ?? [];
  const factor = SIZES[unit?.toLowerCase() ?? "?"];
  if (number === undefined || factor === undefined || Number(number) === 0) {
    throw new InvalidArgumentError('a rate is wanted, e.g. "100MB/s" or "1Gbit/s"');
  }
  return Math.round(Number(number) * factor);
}

const TIMES: Readonly<Record<string, number>> = { ms: 1, s: 1e3, m: 60e3, h: 3600e3 };

/** "300ms", "2s", "5m"; milliseconds. */
export function parseDuration(text: string): number {
  const [, number, unit] = /^([0-9]+(?:\.[0-9]+)?)\s*(ms|s|m|h)$/.exec(text.trim()) ?? [];
  const factor = TIMES[unit ?? "?"];
  if (number === undefined || factor === undefined) {
    throw new InvalidArgumentError('a time with its unit is wanted, e.g. "300ms" or "2s"');
  }
  return Math.round(Number(number) * factor);
}

/** As parseDuration, from 1 ms to 24 days. */
export function parseTimeout(text: string): number {
  return within(text, TIMEOUT_MAX_MS, "576h (24 days)");
}

/** As parseDuration, from 1 ms to a minute: no agent lets a guest stand still for longer. */
export function parseDowntime(text: string): number {
  return within(text, 60_000, "60s");
}

function within(text: string, mostMs: number, most: string): number {
  const ms = parseDuration(text);
  if (ms >= 1 && ms <= mostMs) return ms;
  throw new InvalidArgumentError(`a time from 1ms to ${most} is wanted`);
}

export function parseCount(text: string): number {
  if (/^[1-9][0-9]{0,5}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("a whole number, 1 or more, is wanted");
}

/** "a" and "b,c" add to the names before them: no host and no guest has a comma in its name. */
export function parseNames(text: string, before: readonly string[] = []): string[] {
  const names = text.split(",").map((name) => name.trim());
  if (names.includes("")) throw new InvalidArgumentError('names are wanted, e.g. "b c" or "b,c"');
  return [...before, ...names];
}

/** "1.5 GiB" */
export function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value >= 10 || Number.isInteger(value) ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

export function formatRate(bytesPerSecond: number): string {
  return `${formatBytes(bytesPerSecond)}/s`;
}

/** "1 guest", "3 guests" */
export function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}

/** "12 ms", "3.2 s", "2 min 5 s" */
export function formatDuration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}
