/*
 * A QEMU that a test can hold: a script in front of the real one. It makes a launch wait for as long
 * as a test likes, and lets a guest's monitors be listened on beside their names, so that the test can
 * stand between an agent and its QEMU. Which guest is meant is told by files in its folder.
 */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export type MonitorName = "source.qmp" | "destination.qmp";

/** What a monitor that is set aside has behind its name. */
const ASIDE = ".aside";

const SCRIPT = (dir: string, qemu: string) => `#!/bin/sh
for each; do
  case $each in
    guest=*) guest=\${each#guest=}; guest=\${guest%%,*} ;;
    -incoming) incoming=yes ;;
  esac
done
while [ "$incoming" = yes ] && [ -e "${dir}/hold-$guest" ]; do sleep 0.05; done
if [ "$incoming" = yes ] && [ -e "${dir}/refuse-$guest" ]; then
  cat "${dir}/refuse-$guest" >&2
  exit 1
fi
if [ -e "${dir}/aside-$guest" ]; then
  read -r monitor < "${dir}/aside-$guest"
  for each; do
    shift
    case $each in
      socket,*"$monitor",*) each="\${each%"$monitor",*}$monitor${ASIDE},\${each##*"$monitor",}" ;;
    esac
    set -- "$@" "$each"
  done
fi
exec ${qemu} "$@"
`;

export class SlowQemu {
  readonly dir = mkdtempSync(join(tmpdir(), "fyq-"));
  /** To be given to an agent as qemu.binary. */
  readonly binary = join(this.dir, "qemu");

  constructor(qemu = "/usr/bin/qemu-system-x86_64") {
    mkdirSync(this.dir, { recursive: true });
    writeFileSync(this.binary, SCRIPT(this.dir, qemu));
    chmodSync(this.binary, 0o755);
  }

  /** The guest's next incoming QEMU does not start before `letStart`. */
  holdStart(guestId: string): void {
    writeFileSync(join(this.dir, `hold-${guestId}`), "");
  }

  letStart(guestId: string): void {
    rmSync(join(this.dir, `hold-${guestId}`), { force: true });
  }

  /** The guest's incoming QEMUs end at once, with words on their standard error. */
  refuseStart(guestId: string, words = "no such luck"): void {
    writeFileSync(join(this.dir, `refuse-${guestId}`), `qemu: ${words}\n`);
  }

  /** From now on the guest's QEMUs listen beside that monitor's name: `LateMonitor` takes the name. */
  setAside(guestId: string, monitor: MonitorName): void {
    writeFileSync(join(this.dir, `aside-${guestId}`), `${monitor}\n`);
  }

  /** The guest's next QEMUs are as usual. */
  leave(guestId: string): void {
    for (const what of ["hold", "refuse", "aside"]) {
      rmSync(join(this.dir, `${what}-${guestId}`), { force: true });
    }
  }

  remove(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Where the real monitor listens. */
export function asidePath(path: string): string {
  return `${path}${ASIDE}`;
}
