/* The guest's virtual CPUs: run, stop, look, and the power button. */
import { type Qmp, QmpError } from "@ferry/qmp";

export interface RunState {
  /** QEMU's own word (qapi/run-state.json), e.g. "running", "inmigrate". */
  readonly status: string;
  readonly running: boolean;
}

export async function look(qmp: Qmp): Promise<RunState> {
  const answer = (await qmp.execute("query-status")) as Partial<RunState>; // qapi/run-state.json: StatusInfo
  return { status: answer.status ?? "", running: answer.running === true };
}

/**
 * Lets the guest run. Only QEMU's explicit error is a refusal; a timeout or a lost monitor throws,
 * and proves nothing. In `inmigrate`, QEMU would answer "yes" and start the guest by itself when
 * the load ends, before anybody decided: so there nothing is sent, and it throws. QEMU is asked
 * first, unless the caller has asked it: a guest that has left `inmigrate` never comes back to it.
 */
export async function cont(
  qmp: Qmp,
  looked?: RunState,
): Promise<"ran" | { readonly refused: string }> {
  const { status, running } = looked ?? (await look(qmp));
  if (running) return "ran";
  if (status === "inmigrate") throw new Error("cont was not sent: QEMU is still loading the guest");
  try {
    await qmp.execute("cont");
    return "ran";
  } catch (error) {
    if (error instanceof QmpError) return { refused: error.description };
    throw error;
  }
}

/** Stops the guest's virtual CPUs. One that stands still already is no error. */
export async function stop(qmp: Qmp): Promise<void> {
  await qmp.execute("stop");
}

/** Presses the power button. What the guest makes of it is its own business. */
export async function powerdown(qmp: Qmp): Promise<void> {
  await qmp.execute("system_powerdown");
}
