/*
 * One key per migration, in the file QEMU reads it from (tls-creds-psk). The destination makes it,
 * the two agents pass it over Meet, and a peer without it cannot connect.
 */
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** The name QEMU's client side uses unless told otherwise (crypto/tlscredspsk.c). */
const USERNAME = "qemu";
/** 128 bits at least. */
const KEY = /^(?:[0-9a-f]{2}){16,64}$/i;

/** Writes `keys.psk` (0600) in `dir` (0700), where `tls-creds-psk` looks for it. The key is hexadecimal. */
export async function writePskFile(dir: string, keyHex: string): Promise<void> {
  if (!KEY.test(keyHex)) {
    throw new Error("a migration's key must be 16 to 64 bytes in hexadecimal"); // never shown
  }
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const path = join(dir, "keys.psk");
  await writeFile(`${path}.new`, `${USERNAME}:${keyHex}\n`, { mode: 0o600 });
  await rename(`${path}.new`, path);
}
