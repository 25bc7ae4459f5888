/* Two real QEMUs with a small guest that idles in its firmware, and a copy between them. */
import { createServer } from "node:net";
import { join } from "node:path";
import type { Qmp } from "@ferry/qmp";
import type { Endpoint } from "./endpoint.js";
import { type IncomingNews, openIncoming, watchIncoming } from "./incoming.js";
import type { Keeper } from "./keeper.js";
import {
  beginOutgoing,
  type OutgoingNews,
  type OutgoingOptions,
  presetOutgoing,
  readyOutgoing,
  watchOutgoing,
} from "./outgoing.js";
import { writePskFile } from "./psk.js";
import type { TestHost } from "./test-host.js";
import { cont } from "./vcpu.js";

const GUEST = ["-M", "pc-q35-7.2", "-cpu", "qemu64", "-m", "64", "-accel", "tcg", "-nodefaults"];
const HEADLESS = ["-no-user-config", "-display", "none", "-S"];

/** So slow that a copy of this guest stays under way for as long as a test looks at it. */
export const CRAWL_BYTES_PER_SECOND = 20_000;
export const KEY = "00112233445566778899aabbccddeeff";

export interface Pair {
  readonly source: Qmp;
  readonly destination: Qmp;
  readonly sourceKeeper: Keeper;
  readonly destinationKeeper: Keeper;
  readonly sent: OutgoingNews[];
  readonly received: IncomingNews[];
}

/** A running guest, and a QEMU that waits for it. `argv` is given to both. */
export async function migrationPair(
  host: TestHost,
  { running = true, argv = [] }: { running?: boolean; argv?: string[] } = {},
): Promise<Pair> {
  const [source, there] = await Promise.all([
    host.guest("source", [...GUEST, ...HEADLESS, ...argv]),
    waiting(host, "destination", argv),
  ]);
  if (running) await cont(source.qmp);
  const sent: OutgoingNews[] = [];
  watchOutgoing(source.qmp, (news) => sent.push(news));
  return { ...there, source: source.qmp, sourceKeeper: source.keeper, sent };
}

/** A QEMU that waits for the guest. */
export async function waiting(
  host: TestHost,
  name: string,
  argv: string[] = [],
): Promise<Pick<Pair, "destination" | "destinationKeeper" | "received">> {
  const options = [...GUEST, ...HEADLESS, ...argv, "-incoming", "defer"];
  const { qmp, keeper } = await host.guest(name, options);
  const received: IncomingNews[] = [];
  watchIncoming(qmp, (news) => received.push(news));
  return { destination: qmp, destinationKeeper: keeper, received };
}

/** Lets the destination listen on a unix socket; answers where to send. */
export async function listenUnix(
  host: TestHost,
  { destination }: Pick<Pair, "destination">,
): Promise<Endpoint> {
  const endpoint = { kind: "unix", path: join(host.dir, "destination", "incoming") } as const;
  await openIncoming(destination, endpoint);
  return endpoint;
}

/** Lets the destination listen on a port, with a key; answers where to send with `sourceKey`. */
export async function listenTcp(
  host: TestHost,
  { destination }: Pick<Pair, "destination">,
  sourceKey = KEY,
): Promise<Endpoint> {
  const port = await freePort();
  const [there, here] = [join(host.dir, "keys-there"), join(host.dir, "keys-here")];
  await writePskFile(there, KEY);
  await writePskFile(here, sourceKey);
  const listening = { kind: "tcp", host: "127.0.0.1", port } as const;
  await openIncoming(destination, { ...listening, key: { dir: there } });
  return { ...listening, key: { dir: here } };
}

/** Sends the guest there. */
export async function startOutgoing(
  qmp: Qmp,
  options: OutgoingOptions & { readonly downtimeLimitMs: number },
): Promise<void> {
  await presetOutgoing(qmp, options);
  await readyOutgoing(qmp, options);
  await beginOutgoing(qmp, options.to);
}

/** Names of the migration capabilities that are on, sorted. */
export async function capabilitiesOf(qmp: Qmp): Promise<string[]> {
  const known = (await qmp.execute("query-migrate-capabilities")) as {
    capability: string;
    state: boolean;
  }[]; // qapi/migration.json
  const on = known.filter(({ state }) => state).map(({ capability }) => capability);
  return on.sort();
}

/** A port that nobody had a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}
