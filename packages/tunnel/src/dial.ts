/*
 * The source's pump. It dials the other pump first, so that whatever is wrong with the way there is known
 * before QEMU has begun; then it waits for its QEMU on a unix socket, for one connection.
 */
import { rmSync } from "node:fs";
import { createServer, isIP, type Socket } from "node:net";
import { type TunnelRequestOut, tunnelMethod } from "@ferry/contract";
import { Client, type ClientDuplexStream, status } from "@grpc/grpc-js";
import { channelOptions } from "./connection.js";
import { receive, send } from "./flow.js";
import { channelCredentials } from "./security.js";
import type { DialSettings } from "./settings.js";

type Call = ClientDuplexStream<TunnelRequestOut, Buffer>;

/** Resolves with the reason once the tunnel is over. `ready` is told when QEMU may connect. */
export function dial(settings: DialSettings, ready: (port: number) => void): Promise<string> {
  const { address, listenPath, migrationId, key } = settings;
  const client = new Client(target(address), channelCredentials(settings.security), channelOptions);
  const call: Call = client.makeBidiStreamRequest(
    tunnelMethod.path,
    tunnelMethod.requestSerialize,
    tunnelMethod.responseDeserialize,
  );
  call.write({ open: { migrationId, key } });
  const door = createServer({ allowHalfOpen: true });

  const over = new Promise<string>((resolve) => {
    let qemu: Socket | undefined;
    let letIn = false;
    const fail = (reason: string) => {
      qemu?.destroy();
      door.close();
      call.cancel();
      resolve(reason);
    };
    call.on("error", () => {}); // `status` says it too, and says it always
    call.on("status", ({ code, details }) => {
      const said = details === "" ? status[code] : details;
      if (code === status.OK && qemu !== undefined) {
        // Some of the return path may still be waiting for QEMU to read it.
        const done = () => resolve("both QEMUs ended their streams");
        if (qemu.writableFinished) done();
        else qemu.once("finish", done);
      } else if (letIn) fail(`the destination's pump: ${said}`);
      else fail(`the destination's pump did not open: ${said}`);
    });
    door.on("error", (error) => fail(`cannot listen for QEMU: ${error.message}`));
    door.once("connection", (socket) => {
      door.close(); // the path goes with it: QEMU connects once
      qemu = socket;
      qemu.on("error", (error) => fail(`the source's QEMU: ${error.message}`));
      carry(qemu, call);
    });
    call.once("metadata", () => {
      letIn = true;
      rmSync(listenPath, { force: true }); // what a pump left behind that was killed
      process.umask(0o177); // the socket is its owner's only, from its first moment
      door.listen(listenPath, () => ready(address.port));
    });
  });
  return over.finally(() => client.close());
}

/** Carries bytes both ways. An empty message is the end of the return path. */
function carry(qemu: Socket, call: Call): void {
  send(qemu, {
    write: (pieces, taken) => call.write({ data: pieces }, taken),
    end: () => call.end(),
  });
  call.once("end", () => qemu.end());
  receive(call, qemu, (bytes: Buffer) => {
    if (bytes.length === 0) qemu.end();
    return bytes;
  });
}

function target({ host, port }: DialSettings["address"]): string {
  switch (isIP(host)) {
    case 4:
      return `ipv4:${host}:${port}`;
    case 6:
      return `ipv6:[${host}]:${port}`;
    default:
      return `dns:${host}:${port}`;
  }
}
