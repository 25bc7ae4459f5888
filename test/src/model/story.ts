/* How a broken law is told: every step on the shortest way there, and the world it led to. */
import { nameOf } from "./happening.js";
import type { DestinationHost, SourceHost, World } from "./world.js";

interface Step {
  readonly label: string;
  readonly world: World;
}

/** `last` is an act that broke a law by itself, whatever world it would have led to. */
export function tellStory(steps: readonly Step[], last?: string): string {
  const lines = steps.map(
    ({ label, world }) => `  ${label || "at first"}\n      ${tellWorld(world)}`,
  );
  if (last !== undefined) lines.push(`  ${last}`);
  return lines.join("\n");
}

function tellWorld({ source, destinations }: World): string {
  const hosts = destinations.map((host, at) => `${nameOf(at)}: ${tellDestination(host)}`);
  return [`source: ${tellSource(source)}`, ...hosts].join(" | ");
}

function tellSource({ agent, phase, disk, qemu, queue }: SourceHost): string {
  return [
    agent ? phase : "agent down",
    ...(disk === undefined ? [] : [`on disk ${disk.phase}`]),
    ...(disk === undefined || disk.word === "none" ? [] : [`a person's word: ${disk.word}`]),
    `QEMU ${qemu}`,
    ...(queue.length === 0 ? [] : [`to do: ${queue.join()}`]),
  ].join(", ");
}

function tellDestination(host: DestinationHost): string {
  return [
    host.agent ? host.phase : "agent down",
    ...(host.disk === undefined ? [] : [`on disk ${host.disk}`]),
    ...(host.qemu === "none" ? [] : [`QEMU ${host.qemu}`]),
    ...(host.keeper === "none" ? [] : [`keeper ${host.keeper}`]),
    ...(host.tether === "none" ? [] : [`tether ${host.tether}`]),
    ...(host.queue.length === 0 ? [] : [`to do: ${host.queue.join()}`]),
    ...(host.answer === "none" ? [] : [`answered: ${host.answer}`]),
    ...(host.overridden ? ["a person's word: override"] : []),
    ...(host.arrivals > 1 ? [`arrival ${host.arrivals}`] : []),
  ].join(", ");
}
