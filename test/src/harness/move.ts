/* One move of a guest, bounded: a test that waits for ever tells nothing. */
import { type MigrateOptions, migrate, type Outcome } from "@ferry/client";
import type { TestHost } from "./hosts.js";

/** Longest time a test's move may take, in milliseconds. */
const MOVE_MS = 60_000;

export type MoveOptions = Omit<MigrateOptions, "guestId" | "from" | "to">;

/** Moves the guest and gives what became of it. Throws if nothing did within a minute. */
export async function move(
  guestId: string,
  from: TestHost,
  to: TestHost,
  options: MoveOptions = {},
): Promise<Outcome> {
  const run = migrate({ guestId, from: from.client, to: to.client, ...options });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const words = `the move of ${guestId} (${run.migrationId}) did not end in ${MOVE_MS} ms`;
    timer = setTimeout(() => reject(new Error(words)), MOVE_MS);
  });
  try {
    return await Promise.race([run.result, late]);
  } finally {
    clearTimeout(timer);
  }
}
