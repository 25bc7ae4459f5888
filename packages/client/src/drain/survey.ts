/*
 * Looks at a host that is to be emptied and at where its guests could go: every guest is asked about at
 * its own host once, and at every target, with nothing leased and nothing prepared. What does not answer
 * is said to be in trouble, and ends nothing.
 */
import { randomUUID } from "node:crypto";
import {
  type Blocker,
  type Guest,
  type GuestDescription,
  SourceServiceService,
} from "@ferry/contract";
import { BOUNDS } from "../bounds.js";
import { validateAt } from "../check.js";
import { getInfo, listMigrations } from "../guests.js";
import { troubleOf } from "../hear.js";
import { guestStateName } from "../look.js";
import type { Transport } from "../transport.js";
import type { NamedHost, Survey, SurveyedGuest, SurveyedTarget } from "./words.js";

/** Questions under way at once: an agent answers each from memory, or from one look at its QEMU. */
const ASKED_AT_ONCE = 8;
const ASK_MS = BOUNDS.callMs;

export interface SurveyOptions {
  readonly from: NamedHost;
  readonly to: readonly NamedHost[];
  readonly transport?: Transport | undefined;
  readonly network?: string | undefined;
  /** Guests that nobody needs to be asked about. */
  readonly except: ReadonlySet<string>;
}

/** Throws what the host that is to be emptied would not tell, or that it is silent. */
export async function survey(options: SurveyOptions): Promise<Survey> {
  const { from, to, except } = options;
  const limit = { timeoutMs: ASK_MS };
  const [info, guests, arriving, targets] = await Promise.all([
    getInfo(from.host.source, limit),
    from.host.guests.list(limit),
    arrivalsAt(from),
    Promise.all(to.map(lookAt)),
  ]);
  const asked = to.filter(
    ({ name }) => targets.find((target) => target.name === name)?.trouble === undefined,
  );
  const surveyed = await inTurns(guests, ASKED_AT_ONCE, (guest) =>
    except.has(guest.guestId) ? unasked(guest) : ask(guest, asked, options),
  );
  return {
    from: from.name,
    slots: info.limits?.departuresMax || 1,
    guests: surveyed.filter((guest) => guest !== undefined),
    targets,
    arriving,
  };
}

/** How many guests are on their way to a host. One that does not say has none as far as anybody knows. */
export async function arrivalsAt({ host }: NamedHost): Promise<number> {
  const migrations = await listMigrations(host.destination, "", { timeoutMs: ASK_MS }).catch(
    () => [],
  );
  return migrations.filter(({ settled }) => !settled).length;
}

async function lookAt({ name, host }: NamedHost): Promise<SurveyedTarget> {
  try {
    const { limits, draining } = await getInfo(host.destination, { timeoutMs: ASK_MS });
    const ports = (limits?.portLast ?? 0) - (limits?.portFirst ?? 0) + 1;
    return {
      name,
      memoryFreeBytes: Number(limits?.memoryAvailableBytes ?? 0n),
      slots: Math.min(limits?.arrivalsMax || 1, ports),
      trouble: draining ? "its destination agent is shutting down" : undefined,
    };
  } catch (error) {
    const trouble = `its destination agent does not answer: ${troubleOf(error).message}`;
    return { name, memoryFreeBytes: 0, slots: 0, trouble };
  }
}

function unasked(guest: Guest): SurveyedGuest {
  return {
    guestId: guest.guestId,
    state: guestStateName(guest.state),
    memoryBytes: Number(guest.spec?.memoryBytes ?? 0n),
    here: [],
    there: new Map(),
  };
}

/** Undefined: it does not live there any more. */
async function ask(
  guest: Guest,
  to: readonly NamedHost[],
  { from, transport, network = "" }: SurveyOptions,
): Promise<SurveyedGuest | undefined> {
  const { guestId } = guest;
  const migrationId = randomUUID();
  let description: GuestDescription | undefined;
  let here: readonly Blocker[];
  try {
    const answer = await from.host.source.unary(
      SourceServiceService.begin,
      {
        expectedAgentId: from.host.expected.source,
        migrationId,
        guestId,
        validateOnly: true,
        path: undefined,
      },
      { timeoutMs: ASK_MS },
    );
    description = answer.description;
    here = answer.blockers;
  } catch (error) {
    const { word, fault } = troubleOf(error);
    if (fault?.reason === "GUEST_UNKNOWN") return undefined;
    if (word !== "refused") throw error; // a host that is silent or busy with itself is looked at again
    here = refusalAsBlockers(error, guestId);
  }
  const there = new Map<string, readonly Blocker[]>();
  if (description !== undefined) {
    const about = { migrationId, description, transport, network };
    await Promise.all(
      to.map(async ({ name, host }) => {
        const blockers = validateAt(host, about, ASK_MS).catch((error: unknown) =>
          refusalAsBlockers(error, name),
        );
        there.set(name, await blockers);
      }),
    );
  }
  return { ...unasked(guest), here, there };
}

/** A refusal to judge is evidence as well. */
function refusalAsBlockers(error: unknown, subject: string): readonly Blocker[] {
  const { fault, message } = troubleOf(error);
  if (fault !== undefined && fault.blockers.length > 0) return fault.blockers;
  return [{ reason: fault?.reason ?? "SILENCE", subject, description: message }];
}

/** Does it for all of them, so many at a time, and keeps their order. */
async function inTurns<T, R>(
  all: readonly T[],
  atOnce: number,
  work: (each: T) => R | Promise<R>,
): Promise<R[]> {
  const done: R[] = [];
  let next = 0;
  const worker = async () => {
    for (let index = next++; index < all.length; index = next++) {
      done[index] = await work(all[index] as T); // index < length
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, all.length) }, worker));
  return done;
}
