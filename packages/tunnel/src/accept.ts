/*
 * The destination's pump. It waits for the one caller that has the expected certificate, the migration's
 * id and its key; only then does it connect to QEMU, which takes one connection in its life. After that
 * caller there is no other: a tunnel that broke is over, and so is its migration.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { connect } from "node:net";
import { type Pieces, type TunnelRequestIn, tunnelMethod } from "@ferry/contract";
import { Metadata, Server, type ServerDuplexStream, status } from "@grpc/grpc-js";
import { serverOptions, windowsOf } from "./connection.js";
import { Door } from "./door.js";
import { receive, send } from "./flow.js";
import { isExpectedPeer, serverCredentials } from "./security.js";
import type { AcceptSettings } from "./settings.js";

type Call = ServerDuplexStream<TunnelRequestIn, Pieces>;

/** Resolves with the reason once the tunnel is over. `ready` is told the port. */
export function accept(settings: AcceptSettings, ready: (port: number) => void): Promise<string> {
  return new Promise((resolve) => {
    let opened = false;
    const server = new Server(serverOptions);
    const widenWindow = windowsOf(server);
    server.register(
      tunnelMethod.path,
      (call: Call) => {
        call.once("data", (first) => open(call, first));
      },
      tunnelMethod.responseSerialize,
      tunnelMethod.requestDeserialize,
      "bidi",
    );
    const injector = server.createConnectionInjector(serverCredentials(settings.security));
    const door = new Door((socket) => injector.injectConnection(socket));
    const { host, ports } = settings.listen;
    door.open(host, ports).then(ready, (error: Error) => resolve(error.message));

    function open(call: Call, first: TunnelRequestIn): void {
      call.pause();
      const refusal = whyNot(call, first, settings);
      if (opened) refuse(call, status.ALREADY_EXISTS, "the tunnel is open already");
      else if (refusal !== undefined) refuse(call, status.PERMISSION_DENIED, refusal);
      else {
        opened = true;
        const gone = door.closeBehind(call.getPeer());
        widenWindow?.(call.getPeer());
        void carry(call, settings.connectPath, gone).then(resolve);
      }
    }
  });
}

/** Both are compared in the same time, whatever the caller guessed right. */
function whyNot(call: Call, first: TunnelRequestIn, settings: AcceptSettings): string | undefined {
  if (!isExpectedPeer(settings.security, call)) {
    return "this tunnel is for an agent that your certificate does not name";
  }
  if (!("open" in first)) return "the first message must be `open`";
  const rightMigration = equal(first.open.migrationId, settings.migrationId);
  const rightKey = equal(first.open.key, settings.key);
  if (rightMigration && rightKey) return undefined;
  return "this tunnel is another migration's, or the key is not the one that `met` told";
}

function equal(one: string, other: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(one), digest(other));
}

/** The call ends with this status, which the caller sees. */
function refuse(call: Call, code: status, details: string): void {
  call.emit("error", { code, details });
}

/**
 * Connects to QEMU, lets the caller in, and carries bytes both ways until both streams have ended. Then the
 * caller has until it closes its connection (`gone`) to take what is left of the return path.
 */
function carry(call: Call, path: string, gone: Promise<void>): Promise<string> {
  return new Promise((resolve) => {
    const qemu = connect({ path, allowHalfOpen: true });
    let sent = false;

    const fail = (reason: string) => {
      qemu.destroy();
      refuse(call, status.ABORTED, reason);
      resolve(reason);
    };
    const cut = () => fail("the source's pump is gone");
    const endIfBothDid = () => {
      if (!sent || !qemu.writableFinished) return;
      call.off("cancelled", cut);
      call.end();
      void gone.then(() => resolve("both QEMUs ended their streams"));
    };
    qemu.on("error", (error) => fail(`the destination's QEMU: ${error.message}`));
    call.on("cancelled", cut);
    qemu.once("connect", () => {
      call.sendMetadata(new Metadata());
      send(qemu, {
        write: (pieces, taken) => call.write(pieces, taken),
        // gRPC has no half-close for a server: an empty message is the end of the return path.
        end: () => {
          call.write([]);
          sent = true;
          endIfBothDid();
        },
      });
      call.once("end", () => qemu.end(endIfBothDid));
      receive(call, qemu, (message: TunnelRequestIn) => {
        if ("data" in message) return message.data;
        fail("the source's pump opened the tunnel twice");
        return undefined;
      });
    });
  });
}
