/* Stop powers a guest down, and kills it when its grace is over. */
import { checkAddressee, checkGuestId, invalid } from "@ferry/agent-kit";
import { GuestState, StopOutcome, type StopRequest, type StopResponse } from "@ferry/contract";
import { powerdown } from "@ferry/qemu";
import { busy } from "../busy.js";
import type { Departures } from "../departures.js";
import type { Resident } from "../resident.js";
import type { Residents } from "../residents.js";

const GRACE_DEFAULT_MS = 10_000;
const GRACE_MAX_MS = 600_000;

export interface StopOptions {
  readonly agentId: string;
  readonly residents: Residents;
  readonly departures: Departures;
}

export function stopHandler({ agentId, residents, departures }: StopOptions) {
  return async (request: StopRequest): Promise<StopResponse> => {
    checkAddressee(request, agentId);
    const guestId = checkGuestId(request.guestId);
    const graceMs = request.grace?.value ?? GRACE_DEFAULT_MS;
    if (graceMs > GRACE_MAX_MS) throw invalid("grace_ms", `at most ${GRACE_MAX_MS}`);
    return residents.turns.take(guestId, async () => {
      const leaving = departures.ofGuest(guestId);
      if (leaving !== undefined) {
        throw busy(
          leaving.migrationId,
          leaving.undecided
            ? `migration ${leaving.migrationId} has the guest, which perished at the destination: take it back or give it up (ferry resolve)`
            : `migration ${leaving.migrationId} has the guest (${leaving.phase}): abort it, or let it end`,
        );
      }
      const resident = await residents.find(guestId);
      if (resident === undefined) return { agentId, outcome: StopOutcome.NOT_HERE };
      const outcome = resident.dead ? StopOutcome.NOT_HERE : await stop(resident, graceMs);
      await residents.remove(resident);
      return { agentId, outcome };
    });
  };
}

async function stop(resident: Resident, graceMs: number): Promise<StopOutcome> {
  const { keeper, qmp } = resident;
  if (keeper === undefined) return StopOutcome.NOT_HERE;
  // A paused guest cannot hear its power button: waiting for it would only lose time.
  const deaf = resident.state !== GuestState.RUNNING;
  resident.stopping = true;
  resident.changes.bump();
  if (graceMs > 0 && !deaf && qmp !== undefined) {
    await powerdown(qmp).catch(() => {}); // a QEMU that does not answer is killed below
    const down = await resident.changes.until(() => resident.dead, { withinMs: graceMs });
    if (down) return StopOutcome.POWERED_DOWN;
  }
  await keeper.kill();
  return StopOutcome.KILLED;
}
