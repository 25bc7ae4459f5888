/*
 * Where a guest's memory may arrive. The configuration names networks, by an address or by an interface
 * whose address is looked up at each Prepare, since addresses come and go; a caller may choose one per
 * migration, and no other. Pure but for the default of `interfaces`, which are asked for only where one is
 * named: that takes a descriptor, of which there may be none.
 */
import { isIP, isIPv6 } from "node:net";
import { type NetworkInterfaceInfo, networkInterfaces } from "node:os";
import { getSystemErrorName } from "node:util";
import type { Config } from "@ferry/agent-kit";
import type { BlockerReason } from "@ferry/contract";

type Migration = Config["migration"];
export type Interfaces = ReturnType<typeof networkInterfaces>;
type Addresses = Pick<NetworkInterfaceInfo, "address" | "family">;

/** Where QEMU, or a pump, listens, and what the source is told to dial. */
export interface Place {
  /** Name in the configuration, "default" for the unnamed one. */
  readonly network: string;
  readonly listenHost: string;
  /** Empty: the host part of the address the source's agent dialled. */
  readonly advertiseHost: string;
}

/** Why there is no such place. */
export interface NoPlace {
  readonly reason: Extract<BlockerReason, "NETWORK_UNKNOWN" | "NETWORK_DOWN">;
  readonly description: string;
}

/** Addresses that mean every one the host has. */
const ANY: ReadonlySet<string> = new Set(["0.0.0.0", "::"]);
const DEFAULT = "default";

/** The place a caller asked for: a network's name, or an address that one of them listens on; "" for the default. */
export function placeFor(
  asked: string,
  migration: Migration,
  interfaces: () => Interfaces = hostInterfaces,
): Place | NoPlace {
  const networks: Readonly<Record<string, Network>> = {
    [DEFAULT]: migration,
    ...migration.networks,
  };
  const place = (name: string) => placeOf(name, networks[name], interfaces);
  if (asked === "") return place(DEFAULT);
  if (Object.hasOwn(networks, asked)) return place(asked);
  const places = Object.keys(networks).map(place);
  if (isIP(asked) !== 0) {
    const found = places.find((each) => "listenHost" in each && same(each.listenHost, asked));
    if (found !== undefined) return found;
  }
  const known = places.flatMap((each, index) => {
    const name = Object.keys(networks)[index] ?? "";
    return "listenHost" in each ? `${name} (${each.listenHost})` : name;
  });
  return {
    reason: "NETWORK_UNKNOWN",
    description: `no network ${JSON.stringify(asked.slice(0, 80))} here (migration.networks); there is ${known.join(", ")}`,
  };
}

type Network = Pick<Migration, "interface" | "prefer" | "advertiseHost"> & {
  readonly listenHost: string | undefined;
};

function placeOf(
  network: string,
  at: Network | undefined,
  interfaces: () => Interfaces,
): Place | NoPlace {
  if (at === undefined) throw new Error(`network ${network} is not configured`); // asked by its name
  if (at.interface === undefined) {
    const listenHost = bare(at.listenHost ?? "0.0.0.0");
    const seen = ANY.has(listenHost) ? "" : listenHost;
    return { network, listenHost, advertiseHost: bare(at.advertiseHost ?? seen) };
  }
  const known = interfaces();
  const addresses = known[at.interface];
  if (addresses === undefined) {
    const names = Object.keys(known).join(", ");
    return down(
      `interface ${at.interface} of network ${network} has no address or does not exist; those that have one are ${names}`,
    );
  }
  const address = chooseAddress(addresses, at.prefer);
  if (address === undefined) {
    return down(`interface ${at.interface} of network ${network} has only link-local addresses`);
  }
  return { network, listenHost: address, advertiseHost: bare(at.advertiseHost ?? address) };
}

/**
 * The interfaces of this host. What the system has against it is told by its name: Node knows that of no error
 * which libuv's uv_interface_addresses gives, since it has the other sign there.
 */
export function hostInterfaces(ask: () => Interfaces = networkInterfaces): Interfaces {
  try {
    return ask();
  } catch (error) {
    if (!(error instanceof Error && "errno" in error && typeof error.errno === "number"))
      throw error;
    const code = getSystemErrorName(-Math.abs(error.errno));
    const told = new Error(`the host's network interfaces cannot be read (${code})`, {
      cause: error,
    });
    throw Object.assign(told, { code, syscall: "uv_interface_addresses" });
  }
}

/** The first address of the preferred family, else of the other. A link-local one means nothing on another host. */
export function chooseAddress(
  addresses: readonly Addresses[],
  prefer: "ipv4" | "ipv6",
): string | undefined {
  const usable = addresses.filter(({ address }) => !/^fe[89ab]/i.test(address));
  const preferred = usable.find(({ family }) => family.toLowerCase() === prefer);
  return (preferred ?? usable[0])?.address;
}

function down(description: string): NoPlace {
  return { reason: "NETWORK_DOWN", description };
}

/** "[::1]" is how people write an address beside a port. */
function bare(host: string): string {
  return host.replace(/^\[(.*)\]$/, "$1");
}

/** One IPv6 address has many spellings; a URL knows one. */
function same(one: string, other: string): boolean {
  const canonical = (text: string) => (isIPv6(text) ? new URL(`http://[${text}]`).hostname : text);
  return canonical(one) === canonical(other);
}
