#!/usr/bin/env node
/* The command `ferry`: reads the environment, runs one subcommand, tells people what went wrong. */
import { CommanderError } from "commander";
import { EXIT } from "./exit.js";
import { explain } from "./failure.js";
import { ferry } from "./program.js";
import { SHELL, unread } from "./shell.js";

const { FERRY_HOSTS, FERRY_DEBUG } = process.env;
const debug = FERRY_DEBUG !== undefined && FERRY_DEBUG !== "";

let unwritten: NodeJS.ErrnoException | undefined;
// A reader that has seen enough (`ferry guests | head`) is no error, and ends no move: its outcome counts.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  unread(); // nothing that follows will be read either
  if (error.code === "EPIPE" || unwritten !== undefined) return;
  unwritten = error;
  SHELL.note(`error: the output cannot be written: ${error.message}`);
});
process.stderr.on("error", () => {}); // nobody is left to be told
process.on("exit", () => {
  if (unwritten !== undefined) process.exitCode ||= EXIT.error;
});

try {
  await ferry(SHELL, FERRY_HOSTS).parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode; // it has spoken already
  } else {
    for (const line of explain(error)) SHELL.note(line);
    if (debug) SHELL.note(error instanceof Error ? (error.stack ?? "") : String(error));
    process.exitCode = EXIT.error;
  }
}
