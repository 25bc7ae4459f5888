/*
 * A controller's process that does nothing but hold tethers, so that it can be killed or frozen. Its
 * parent says what to prepare, as bytes in base64, and is told what comes of it.
 */
import { PrepareOpen } from "@ferry/contract";
import { HeldTether } from "./held-tether.js";

export interface Order {
  readonly address: string;
  /** A PrepareOpen. */
  readonly open: string;
}

export interface Told {
  readonly migrationId: string;
  readonly what: "prepared" | "ended";
  readonly words: string;
}

const tell = (told: Told) => process.send?.(told);
const tethers: HeldTether[] = [];

process.on("message", ({ address, open }: Order) => {
  const opening = PrepareOpen.decode(Buffer.from(open, "base64"));
  const { migrationId } = opening;
  const tether = new HeldTether(address, opening);
  tethers.push(tether);
  void tether.ready().then(
    () => tell({ migrationId, what: "prepared", words: "" }),
    (error: unknown) => tell({ migrationId, what: "ended", words: String(error) }),
  );
});
process.on("disconnect", () => process.exit(0));
