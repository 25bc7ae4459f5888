/* Watches migrations on every agent. An agent that goes away is dialled again, for as long as it takes. */
import { setMaxListeners } from "node:events";
import { type Agent, watchMigrations } from "@ferry/client";
import type { Migration } from "@ferry/contract";
import type { Command } from "commander";
import { PLAIN_EXIT_HELP } from "../exit.js";
import { silenceOf } from "../failure.js";
import { isMigrationId } from "../migration-id.js";
import { pause } from "../pause.js";
import { type Shell, withFleet } from "../shell.js";
import { screenFor } from "../watch-screen.js";

/** Pause before an agent is dialled again, in milliseconds. */
const REDIAL_MS = 1_000;

export function addWatch(program: Command, shell: Shell): void {
  program
    .command("watch")
    .description(
      "Shows migrations as they go, on every agent, until Ctrl-C: a table on a terminal, lines elsewhere.",
    )
    .argument("[guest-or-migration]", "only this guest, or this migration")
    .option("--json", "one JSON object per change")
    .option("--all", "ended migrations too")
    .addHelpText(
      "after",
      `\nExample:\n  ferry watch vm1\n  ferry watch --json | jq .migration.phase\n\n${PLAIN_EXIT_HELP}`,
    )
    .action(
      (only: string | undefined, flags: { json?: boolean; all?: boolean }, command: Command) =>
        withFleet(command, async (fleet) => {
          const over = new AbortController();
          const leave = () => over.abort();
          process.on("SIGINT", leave);
          process.on("SIGTERM", leave);
          shell.unread.addEventListener("abort", leave);
          setMaxListeners(0, over.signal); // one of every agent
          const screen = screenFor(shell, flags.json === true);
          const migrationId = only !== undefined && isMigrationId(only) ? only : "";
          const wanted = ({ guestId, settled }: Migration, known: boolean) =>
            (only === undefined || migrationId !== "" || guestId === only) &&
            (!settled || known || flags.all === true || migrationId !== "");
          const agents = fleet.names.flatMap((host) => {
            const { source, destination } = fleet.host(host);
            return [
              { host, agent: source },
              { host, agent: destination },
            ];
          });
          await Promise.all(
            agents.map(async ({ host, agent }) => {
              const known = new Set<string>();
              await follow(agent, migrationId, over.signal, {
                changed: (migration) => {
                  if (!wanted(migration, known.has(migration.migrationId))) return;
                  known.add(migration.migrationId);
                  screen.show({ host, migration });
                },
                lost: (why) => screen.note(`host ${host}: ${agent.address} ${why}`),
                back: () => screen.note(`host ${host}: ${agent.address} answers again`),
              });
            }),
          );
          process.off("SIGINT", leave);
          process.off("SIGTERM", leave);
        }),
    );
}

async function follow(
  agent: Agent,
  migrationId: string,
  signal: AbortSignal,
  listener: { changed(migration: Migration): void; lost(why: string): void; back(): void },
): Promise<void> {
  let told = false;
  while (!signal.aborted) {
    try {
      for await (const migration of watchMigrations(agent, migrationId, { signal })) {
        if (told) listener.back();
        told = false;
        listener.changed(migration);
      }
    } catch (error) {
      if (!signal.aborted && !told) listener.lost(silenceOf(error));
      told = true;
    }
    await pause(REDIAL_MS, signal);
  }
}
