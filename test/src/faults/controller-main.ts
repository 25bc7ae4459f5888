/* A controller as a process of its own: it moves one guest, as its parent tells it to. */
import {
  connectHost,
  type Host,
  type HostAddress,
  migrate,
  type Outcome,
  type Transport,
} from "@ferry/client";

export interface MoveOrder {
  readonly from: HostAddress;
  readonly to: HostAddress;
  readonly guestId: string;
  readonly migrationId: string;
  readonly transport: Transport;
  /** 0: no limit. */
  readonly bandwidthBytesPerSecond: number;
  /** Stands still before Perform until it is told "go". */
  readonly waits: boolean;
}

export type ToController = MoveOrder | "go";
export type FromController =
  | { readonly kind: "waits" }
  | { readonly kind: "outcome"; readonly outcome: Outcome }
  | { readonly kind: "refused"; readonly message: string };

/** A lost answer is asked for again soon: the faults here last seconds. */
const BOUNDS = { callMs: 2_000, connectMs: 3_000, pauseMaxMs: 500, waitMs: 5_000 };

const say = (word: FromController) => process.send?.(word);
let go: () => void = () => {};

process.on("message", (order: ToController) => {
  if (order === "go") go();
  else void run(order);
});
process.on("disconnect", () => process.exit(0));

async function run(order: MoveOrder): Promise<void> {
  const { guestId, migrationId, transport, bandwidthBytesPerSecond } = order;
  const from = connectHost({ ...order.from, plaintext: true });
  const to = connectHost({ ...order.to, plaintext: true });
  try {
    const outcome = await migrate({
      guestId,
      from: order.waits ? waiting(from) : from,
      to,
      migrationId,
      transport,
      bandwidthBytesPerSecond,
      bounds: BOUNDS,
    }).result;
    say({ kind: "outcome", outcome });
  } catch (error) {
    say({ kind: "refused", message: String(error) });
  }
  from.close();
  to.close();
}

/** That host, with Perform standing still until we are told to go on. */
function waiting(host: Host): Host {
  const gone = new Promise<void>((resolve) => {
    go = resolve;
  });
  const agent = host.source;
  const watch = agent.watch.bind(agent);
  agent.watch = async function* (method, request, options) {
    say({ kind: "waits" });
    await gone;
    yield* watch(method, request, options);
  };
  return host;
}
