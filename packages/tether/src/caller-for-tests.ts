/* A caller that can be killed or frozen: holds one stream open, and beats if it is told to. */
import { Client } from "@grpc/grpc-js";
import { type Certificates, clientCredentials, METHOD } from "./rig-for-tests.js";

interface Order {
  readonly address: string;
  readonly beatMs: number;
  readonly certificates?: Certificates;
}

process.once("message", ({ address, beatMs, certificates }: Order) => {
  const client = new Client(address, clientCredentials(certificates));
  const call = client.makeBidiStreamRequest(
    METHOD.path,
    METHOD.requestSerialize,
    METHOD.responseDeserialize,
  );
  call.on("error", () => {});
  call.once("data", () => process.send?.("tied"));
  call.write(Buffer.from("open"));
  if (beatMs > 0) setInterval(() => call.write(Buffer.from("beat")), beatMs);
});
process.once("disconnect", () => process.exit());
