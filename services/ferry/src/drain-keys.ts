/*
 * What a person may say to a drain under way: Ctrl-C once (or SIGTERM) to begin no more moves, twice to
 * end those under way cleanly, three times to leave at once; p, or Ctrl-Z, to pause and to go on. The process is
 * never suspended: it holds tethers, and a tether whose holder is silent is cut.
 */
import type { DrainRun } from "@ferry/client";
import { EXIT } from "./exit.js";

const CTRL_C = "\u0003";
const CTRL_Z = "\u001a";

/** Answers how to stop listening. */
export function listen(run: DrainRun): () => void {
  const interrupt = () => {
    if (run.state === "aborting") {
      quiet();
      process.exit(EXIT.interrupted);
    }
    if (run.state === "ending") run.abort();
    else run.end();
  };
  const toggle = () => (run.state === "paused" ? run.resume() : run.pause());
  const pause = () => run.pause();
  const resume = () => run.resume();
  const signals = [
    ["SIGINT", interrupt],
    ["SIGTERM", interrupt],
    ["SIGTSTP", pause],
    ["SIGCONT", resume],
  ] as const;
  for (const [name, listener] of signals) process.on(name, listener);
  const { stdin } = process;
  const keyed = stdin.isTTY === true && process.stderr.isTTY === true;
  const key = (text: string) => {
    for (const each of text) {
      if (each === CTRL_C) interrupt();
      else if (each === "p" || each === CTRL_Z) toggle();
    }
  };
  if (keyed) stdin.setRawMode(true).setEncoding("utf8").resume().on("data", key);
  const quiet = () => {
    for (const [name, listener] of signals) process.off(name, listener);
    if (keyed) stdin.off("data", key).setRawMode(false).pause();
  };
  return quiet;
}
