import { processesMentioning } from "../harness/processes.js";

/** The QEMU whose command line names that monitor. */
export function pidOf(monitorPath: string): number {
  const found = processesMentioning(monitorPath).find(({ commandLine }) =>
    /^\S*qemu-system/.test(commandLine),
  );
  if (found === undefined) throw new Error(`no QEMU has the monitor ${monitorPath}`);
  return found.pid;
}
