/*
 * One key per migration, in the file QEMU reads it from (tls-creds-psk). The destination makes it,
 * the two agents pass it over Meet, and a peer without it cannot connect.
 */
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { giveToQemu } from "./run-as.js";

/** The name QEMU's client side uses unless told otherwise (crypto/tlscredspsk.c). */
const USERNAME = "qemu";
/** 128 bits at least. */
const KEY = /^(?:[0-9a-f]{2}){16,64}$/i;

/**
 * The group ffdhe2048 of RFC 7919. Without it QEMU 7.2 looks for a group of its own, of the same size,
 * whenever it begins to listen, and does nothing else for 0.2 to 1.1 s (crypto/tlscreds.c).
 */
const DH_PARAMETERS = `-----BEGIN DH PARAMETERS-----
MIIBCAKCAQEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz
+8yTnc4kmz75fS/jY2MMddj2gbICrsRhetPfHtXV/WVhJDP1H18GbtCFY2VVPe0a
87VXE15/V8k1mE8McODmi3fipona8+/och3xWKE2rec1MKzKT0g6eXq8CrGCsyT7
YdEIqUuyyOP7uWrat2DX9GgdT0Kj3jlN9K5W7edjcrsZCwenyO4KbXCeAvzhzffi
7MA0BM0oNC9hkXL+nOmFg/+OTxIy7vKBg8P+OxtMb61zO7X8vC7CIAXFjvGDfRaD
ssbzSibBsu/6iGtCOGEoXJf//////////wIBAg==
-----END DH PARAMETERS-----
`;

/**
 * Writes `keys.psk` (0600) in `dir` (0700), where `tls-creds-psk` looks for it. The key is
 * hexadecimal, 16 to 64 bytes; it is in no error. `runDir`: of the guest whose QEMU is to read it.
 * Rejects if the directory around `dir` is gone: of a guest that was killed meanwhile no key is left.
 */
export async function writePskFile(dir: string, keyHex: string, runDir?: string): Promise<void> {
  if (!KEY.test(keyHex)) throw new Error("a migration's key must be 16 to 64 bytes in hexadecimal");
  await mkdir(dir, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error;
  });
  await Promise.all([
    writePrivate(join(dir, "dh-params.pem"), DH_PARAMETERS, runDir),
    writePrivate(join(dir, "keys.psk"), `${USERNAME}:${keyHex}\n`, runDir),
  ]);
  if (runDir !== undefined) await giveToQemu(runDir, dir, "enter");
}

/** The migration is over: its key is of no use to anybody. Ones that are gone already are no error. */
export async function removePskFile(dir: string): Promise<void> {
  await rm(dir, { recursive: true, force: true });
}

async function writePrivate(path: string, text: string, runDir: string | undefined): Promise<void> {
  await writeFile(`${path}.new`, text, { mode: 0o600 });
  if (runDir !== undefined) await giveToQemu(runDir, `${path}.new`, "read");
  await rename(`${path}.new`, path);
}
