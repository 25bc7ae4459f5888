/*
 * npm run demo: a running guest moves between two hosts, and its controller dies and freezes on the way.
 * Everything it starts is ended by process id, also after Ctrl-C.
 *
 *   --keep    leave the hosts running at the end, until Ctrl-C, to try the `ferry` command on
 */
import type { Hosts } from "../harness/hosts.js";
import { bold, duration, print } from "./picture.js";
import { move, strike } from "./scenes.js";
import { setUp } from "./stage.js";

const unknown = process.argv.slice(2).find((word) => word !== "--keep");
if (unknown !== undefined) {
  console.error(
    `error: ${unknown} means nothing here\nnext: npm run demo, or npm run demo -- --keep`,
  );
  process.exit(1);
}

/** Also while they start: there is something to clean up from then on. */
let opening: Promise<Hosts> | undefined;
let closing: Promise<void> | undefined;
const close = () => {
  closing ??= (async () => {
    const hosts = await opening?.catch(() => undefined); // those that did not start have cleaned up
    await hosts?.close();
  })();
  return closing;
};

/** As shells have it, 128 and the signal's number. */
const INTERRUPTED = { SIGHUP: 129, SIGINT: 130, SIGPIPE: 141, SIGTERM: 143 } as const;
type Interruption = keyof typeof INTERRUPTED;

const interrupted = new Promise<Interruption>((resolve) => {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(signal, () => resolve(signal));
  process.stdout.on("error", () => resolve("SIGPIPE")); // its reader is gone (`| head`), or the disk is full
});
void interrupted.then(async (signal) => {
  print(`${signal}: cleaning up`);
  await close();
  process.exit(INTERRUPTED[signal]);
});

try {
  const from = performance.now();
  await play();
  await close();
  print();
  print(`All of that took ${duration(performance.now() - from)}, and nothing is left behind.`);
  print(
    "To try next: npm test · docs/controller.md, to write a controller · docs/operations.md, to run it",
  );
  print("             npm run demo -- --keep, for two hosts to play with");
} catch (error) {
  await new Promise(setImmediate); // an interrupt that ended a program of ours may not have been heard yet
  if (closing === undefined) {
    print(`The demonstration broke: ${error instanceof Error ? error.message : error}`);
    process.exitCode = 1;
  }
} finally {
  await close();
}

async function play(): Promise<void> {
  print(bold("Ferry moves a running guest, and never leaves it running twice."));
  print();
  const stage = await setUp((starting) => {
    opening = starting;
  });
  const [one, two] = stage.hosts.pair;
  await move(stage, "It moves to the other host, QEMU to QEMU, encrypted.", [one, two], []);
  await move(
    stage,
    "It moves back, through the agents' own gRPC stream.",
    [two, one],
    ["--transport", "tunnel"],
  );
  await strike(stage, "The controller is killed in the middle of a move.", [one, two], {
    signal: "SIGKILL",
    words: "nobody is left to clean up",
  });
  await strike(stage, "The controller freezes in the middle of a move.", [one, two], {
    signal: "SIGSTOP",
    words: "its connection stays open, and nobody answers",
  });
  if (process.argv.includes("--keep")) {
    print();
    print("The hosts go on running until Ctrl-C. In another terminal, from here:");
    print(`  export FERRY_HOSTS=${stage.hostsFile}`);
    print("  npx ferry guests");
    await interrupted;
    return;
  }
  await one.client.guests.stop("demo", { graceMs: 0 });
}
