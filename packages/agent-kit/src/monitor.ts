import type { Keeper } from "@ferry/qemu";
import { connect, type Qmp } from "@ferry/qmp";

/** How long a new or found QEMU may take until its monitor answers, in milliseconds. */
const MONITOR_TIMEOUT_MS = 15_000;

/** Opens a monitor of a QEMU. One that dies meanwhile is not waited for: its last words are the error. */
export async function openMonitor(path: string, { reaped }: Pick<Keeper, "reaped">): Promise<Qmp> {
  const gone = new AbortController();
  let ended = "";
  void reaped.then(({ summary }) => {
    ended = summary;
    gone.abort();
  });
  try {
    return await connect(path, { timeoutMs: MONITOR_TIMEOUT_MS, signal: gone.signal });
  } catch (error) {
    throw gone.signal.aborted ? new Error(ended) : error;
  }
}
