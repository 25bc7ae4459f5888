/* What comes of a destination's effects, and what its QEMU and its keeper do by themselves. */
import type { DestinationEffect } from "@ferry/protocol";
import { withDestination } from "./hearing.js";
import type { Here } from "./here.js";
import { type DestinationHost, qemuAlive, type World } from "./world.js";

/** Effects are carried out in order; an agent that dies forgets those that are left. */
export function destinationActs({ world, at, host, say, setting }: Here): void {
  const [effect, ...rest] = host.queue;
  if (effect === undefined) return;
  const then: Effort["then"] = (change, broken, how = "") =>
    say(
      `does ${effect}${how}`,
      true,
      withDestination(world, at, { queue: rest, ...change }),
      broken,
    );
  carryOut(effect, rest, { world, host, refusals: setting.contRefused, then });
}

interface Effort {
  readonly world: World;
  readonly host: DestinationHost;
  readonly refusals: boolean;
  readonly then: (change: Partial<DestinationHost>, broken?: string, how?: string) => void;
}

function carryOut(
  effect: DestinationEffect,
  rest: readonly DestinationEffect[],
  { world, host, refusals, then }: Effort,
): void {
  switch (effect) {
    case "launch":
      then({ qemu: "starting", keeper: "armed" });
      return;
    case "kill":
      then({ qemu: "dead", keeper: "none" }, lawOfKill(host));
      return;
    case "freeKeeper":
      then(host.keeper === "armed" ? { keeper: "freed" } : {});
      return;
    case "cont": {
      const broken = lawOfCont(world, host);
      if (host.qemu === "loaded") {
        then({ qemu: "running", answer: "ran", ran: true }, broken);
        if (refusals) then({ answer: "refused" }, broken, ", and QEMU refuses");
        return;
      }
      if (host.qemu === "running") then({ answer: "ran" }, broken);
      else if (host.qemu === "shutDown") then({ answer: "refused" }, broken);
      else then({}, broken);
      return;
    }
    case "look":
      if (host.qemu === "running") then({ answer: "ran" });
      else if (qemuAlive(host)) then({ queue: ["cont", ...rest] });
      else then({});
  }
}

export function lawOfKill(host: DestinationHost): string | undefined {
  return host.ran && qemuAlive(host)
    ? "a destination kills only a guest that never ran there"
    : undefined;
}

/** Written down: the point of no return. */
const LANDING: ReadonlySet<string> = new Set(["landing", "relanding", "landed"]);

/** Law 4: when a destination may let the guest run. */
function lawOfCont({ source }: World, host: DestinationHost): string | undefined {
  if (!qemuAlive(host)) return undefined;
  const { keeper: it, synced } = host;
  if (it === "armed" || it === "orphaned") return "the keeper is freed before `cont`";
  if (synced === undefined || !LANDING.has(synced)) return "`landing` is on disk before `cont`";
  if (host.qemu === "receiving" || host.qemu === "filled" || host.qemu === "listening") {
    return "`cont` is never sent to a QEMU that has not loaded";
  }
  if (host.overridden) return undefined;
  if (!source.gaveAway || !(host.saidReleased || host.saidBereft)) {
    return "the guest lands only after the source released it";
  }
  return host.ordered || host.saidBereft
    ? undefined
    : "the guest lands only when it was ordered to";
}

export function destinationQemu({ world, at, host, say, setting }: Here): void {
  const become = (change: DestinationHost["qemu"], what: string, calm: boolean) =>
    say(what, calm, withDestination(world, at, { qemu: change }));
  if (host.qemu === "starting") become("listening", "QEMU listens", true);
  if (host.qemu === "filled") {
    become("loaded", "QEMU has loaded", true);
    become("receiving", "the last bytes are lost on their way", false);
  }
  if (host.qemu === "running") become("shutDown", "guest shuts down by itself", false);
  if (setting.qemusDie && qemuAlive(host)) {
    say("QEMU dies", false, withDestination(world, at, { qemu: "dead", keeper: "none" }));
  }
}

export function keeper({ world, at, host, say, setting }: Here): void {
  if (host.keeper === "orphaned") {
    const late = host.ran || host.disk === "landing" || host.disk === "relanding";
    say(
      "keeper reads the end of its pipe, and kills",
      true,
      withDestination(world, at, { qemu: "dead", keeper: "none" }),
      late ? "a keeper never kills a guest that has begun to land" : undefined,
    );
  }
  if (!setting.keepersDie) return;
  const dead = (change: DestinationHost["keeper"]) =>
    say("keeper dies", false, withDestination(world, at, { keeper: change }));
  if (host.keeper === "armed" || host.keeper === "orphaned") dead("gone");
  if (host.keeper === "freed") dead("freedGone");
}
