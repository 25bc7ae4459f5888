/* An agent's limits, for a person: one line for each question that is asked of them. Pure. */
import type { Limits } from "@ferry/contract";
import { formatBytes, formatDuration, formatRate } from "./units.js";

const HOUR_MS = 3_600_000;

/** Lines of `question  answer`, without their indentation. What the agent does not limit, or does not tell, has none. */
export function limitLines(limits: Limits): string[] {
  const answers: readonly (readonly [question: string, answers: readonly (string | false)[]])[] = [
    ["at once", atOnce(limits)],
    ["bandwidth", bandwidth(limits)],
    ["memory", memory(limits)],
    ["ports", [limits.portFirst > 0 && `${limits.portFirst} to ${limits.portLast}`]],
    ["calls", calls(limits)],
    ["times", times(limits)],
    ["kept", [limits.endingsMax > 0 && `${limits.endingsMax} ended migrations`]],
  ];
  return answers.flatMap(([question, each]) => {
    const told = each.filter((answer) => answer !== false);
    return told.length === 0 ? [] : [`${question.padEnd(9)}  ${told.join("; ")}`];
  });
}

function atOnce(limits: Limits): (string | false)[] {
  const perCaller = (max: number) => (max > 0 ? `, ${max} of one caller` : "");
  const { arrivalsMax, arrivalsPerCallerMax, departuresMax, departuresPerCallerMax } = limits;
  return [
    arrivalsMax > 0 && `${arrivalsMax} guests arriving${perCaller(arrivalsPerCallerMax)}`,
    departuresMax > 0 && `${departuresMax} guests leaving${perCaller(departuresPerCallerMax)}`,
    limits.guestsMax > 0 && `${limits.guestsMax} guests on the host`,
    limits.probesMax > 0 && `${limits.probesMax} paths probed`,
  ];
}

function bandwidth(limits: Limits): (string | false)[] {
  const { bandwidthBytesPerSecond: out, incomingBandwidthBytesPerSecond: incoming } = limits;
  const none = out === 0n && incoming === 0n;
  return [
    out > 0n && `${formatRate(Number(out))} for all guests that leave`,
    incoming > 0n && `${formatRate(Number(incoming))} for all guests that arrive`,
    none && limits.guestsMax > 0 && "no limit", // an older agent says neither
  ];
}

function memory(limits: Limits): (string | false)[] {
  const { memoryAvailableBytes: available, memoryReserveBytes: reserve, portFirst } = limits;
  return [
    (available > 0n || portFirst > 0) && `${formatBytes(Number(available))} for arriving guests`,
    reserve > 0n && `${formatBytes(Number(reserve))} kept free of them`,
  ];
}

function calls(limits: Limits): (string | false)[] {
  const { connectionsMax, streamsMax, messageBytesMax } = limits;
  return [
    connectionsMax > 0 && `${connectionsMax} connections`,
    streamsMax > 0 && `${streamsMax} calls on each`,
    messageBytesMax > 0 && `messages of up to ${formatBytes(messageBytesMax)}`,
  ];
}

function times(limits: Limits): (string | false)[] {
  const { leaseMs, timeoutMaxMs, keepaliveTimeMs, keepaliveTimeoutMs } = limits;
  return [
    `a vanished caller is noticed within ${formatDuration(keepaliveTimeMs + keepaliveTimeoutMs)}`,
    leaseMs > 0 && `a lease lasts ${formatDuration(leaseMs)}`,
    timeoutMaxMs > 0 && `a migration's time limit is at most ${timeoutMaxMs / HOUR_MS} h`,
  ];
}
