/* docs/faults.md, made from what a run wrote down: nothing in it is typed by hand. */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { FAULT_IDS, FAULTS } from "./faults.js";
import { INSTANT_IDS, INSTANTS, type Instant } from "./instants.js";
import { libvirtIn } from "./libvirt.js";
import { MATRIX } from "./matrix.js";
import type { Result } from "./row.js";

const TARGET = fileURLToPath(new URL("../../../docs/faults.md", import.meta.url));

const INTRODUCTION = `# What each failure ends in

Every row was run: two hosts' agents and a controller, each in a network namespace of its own, real
QEMUs under TCG, and a guest that numbers its ticks and signs its memory. The migration was stopped
exactly at the instant (an agent standing still between two of its steps, or a state that QEMU told), the
fault was done, everybody went on, and what had died or was cut off came back.

The judge is no part of Ferry. It reads the guest's consoles and a monitor of each QEMU that no agent
opens, by one clock, and condemns a row in which two copies ran at one instant, an old copy woke again, a
tick came twice or never, memory was not whole, or anything was left: processes, sockets, ports, cgroups,
run directories, records.

| ending | what it means |
|---|---|
| source | the guest runs where it was |
| destination | the guest runs where it was sent |
| perished | it may have run there and its QEMU is dead: the old copy stands still, an alarm was given, **a person decides** |
| lostAtSource | its QEMU or its host died under it before it was given away: listed as lost, to be started afresh |
| lostAtDestination | it had landed, and its QEMU or its host died under it |

Most faults are done at every instant. Of some kinds a few instants stand for all; what is left out, and why, is
said [at the end](#what-is-left-out):

| kind | what is done to it |
|---|---|
| no descriptor left | the agent's limit is lowered, from outside, to what it holds; later it is raised again |
| a monitor breaks alone | QEMU's end of the agent's monitor is shut down, from outside; or its socket's file is gone as well, for a time |
| a flood | another caller asks, opens streams (Prepare of that very migration with heartbeats, too) or pings without an end |
| a full disk | not a byte fits into the state directory of one host or of both; or neither byte nor file, socket or folder into the run directory |
| a stepped clock | what both agents of a host take for the time of day jumps, and jumps back: by hours, and by more than a timer can be set for |
| a pump | the process that carries a tunnelled copy is killed or frozen |
| in a tunnel | agents die, freeze or end and links break once more, while the memory goes through a tunnel |

*Heals*: from the end of the fault (for a death: from the moment its successor is started) until neither
host had anything left to do. *Stands still*: the longest time for which the guest ran nowhere, the time for
which it was held at the instant included. Both depend on the machine, and this one was shared. *libvirt*: version 9.0
in the same case, measured with the same QEMU and guests, or read in its source where it says so; empty where not known.

The rows are \`test/src/faults\`; what each must end in is \`matrix.ts\`, and a cell that is missing there does
not compile. Run them with \`npm run faults\` (as root; \`--help\` says more).
`;

export function writeReport(paths: readonly string[], target = TARGET): void {
  const results = new Map<string, Result>();
  for (const result of paths.flatMap(readResults)) {
    results.set(`${result.instant} ${result.fault}`, result); // a later run of a row counts
  }
  const all = [...results.values()];
  const run = all.filter(({ instant, fault }) => "endings" in MATRIX[fault][instant]);
  const passed = run.filter((result) => result.passed).length;
  const cells = FAULT_IDS.flatMap((fault) => INSTANT_IDS.map((i) => MATRIX[fault][i]));
  const rows = cells.filter((cell) => !("leftOut" in cell)).length;
  const cannot = cells.filter((cell) => "cannot" in cell).length;
  const date = new Date().toISOString().slice(0, 10);
  const totals = [
    "",
    `${date}: of ${rows} rows ${run.length} were run, ${passed} ended as they must, ${run.length - passed} did not; ${cannot} cannot occur; ${rows - run.length - cannot} were not run. ${cells.length - rows} more are [left out](#what-is-left-out).`,
    "",
  ];
  const sections = INSTANT_IDS.flatMap((instant) => section(instant, results));
  writeFileSync(
    target,
    `${[INTRODUCTION.trim(), ...totals, ...sections, ...leftOut()].join("\n").trim()}\n`,
  );
}

/** What `--json` wrote. */
export function readResults(path: string): Result[] {
  const lines = readFileSync(path, "utf8").split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as Result);
}

function section(instant: Instant, results: ReadonlyMap<string, Result>): string[] {
  const lines = FAULT_IDS.flatMap((fault) => {
    const { words } = FAULTS[fault];
    const cell = MATRIX[fault][instant];
    if ("leftOut" in cell) return [];
    const libvirt = libvirtIn(fault, instant);
    if ("cannot" in cell) return `| ${words} | cannot occur: ${cell.cannot} | | | ${libvirt} |`;
    const result = results.get(`${instant} ${fault}`);
    const must = cell.endings.join(" or ");
    if (result === undefined) return `| ${words} | not run; must end: ${must} | | | ${libvirt} |`;
    const ending = result.passed ? result.ending : `**FAILED**: ${result.why[0] ?? ""}`;
    return `| ${words} | ${ending} | ${seconds(result.healedMs)} | ${result.stoodStillMs} ms | ${libvirt} |`;
  });
  return [
    `## ${INSTANTS[instant].words}`,
    "",
    "| fault | the guest is | heals | stands still | libvirt |",
    "|---|---|---|---|---|",
    ...lines,
    "",
  ];
}

/** A line for each fault and reason. */
function leftOut(): string[] {
  const lines = FAULT_IDS.flatMap((fault) => {
    const byReason = new Map<string, Instant[]>();
    for (const instant of INSTANT_IDS) {
      const cell = MATRIX[fault][instant];
      if (!("leftOut" in cell)) continue;
      byReason.set(cell.leftOut, [...(byReason.get(cell.leftOut) ?? []), instant]);
    }
    return [...byReason].map(
      ([reason, instants]) => `| ${FAULTS[fault].words} | ${instants.join(", ")} | ${reason} |`,
    );
  });
  return ["## What is left out", "", "| fault | instants | why |", "|---|---|---|", ...lines, ""];
}

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;
