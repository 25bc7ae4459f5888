import { createHash } from "node:crypto";
import { join } from "node:path";

/** A unix socket's path holds at most 107 bytes; the longest name in a run directory takes its share. */
const SOCKET_PATH_BYTES_MAX = 107;
const SOCKET_NAME_BYTES_MAX = 24;
/** 60 bits: as good as unique among the guests a host ever sees. */
const SHORT_ID_CHARACTERS = 15;

/**
 * Where a guest's sockets and pipes live: `<runDir>/<short-id>`. Ids are up to 64 characters and a
 * socket's path must stay under 108 bytes, so the directory is named by a hash of the id.
 */
export function guestRunDirectory(runDir: string, id: string): string {
  const shortId = createHash("sha256").update(id).digest("hex").slice(0, SHORT_ID_CHARACTERS);
  return join(runDir, shortId);
}

/** How many bytes run_dir itself may have, so that every socket in it can be opened. */
export const RUN_DIR_BYTES_MAX =
  SOCKET_PATH_BYTES_MAX - SOCKET_NAME_BYTES_MAX - SHORT_ID_CHARACTERS - 2;
