/*
 * What the tests of this package share: a real grpc-js server behind our own door whose one method
 * ties every call, and real callers, in this process or in one that can be killed.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import {
  type ChannelCredentials,
  Client,
  type ClientDuplexStream,
  type ClientOptions,
  credentials,
  type MethodDefinition,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
} from "@grpc/grpc-js";
import type { CutCause } from "./cause.js";
import { makeAuthority, type TestPems } from "./certificates-for-tests.js";
import { type Listener, type ListenOptions, listen } from "./listener.js";
import { Tethers, type Tie } from "./tether.js";

const asIs = (bytes: Buffer) => bytes;

export const METHOD: MethodDefinition<Buffer, Buffer> = {
  path: "/ferry.test.Tether/Hold",
  requestStream: true,
  responseStream: true,
  requestSerialize: asIs,
  requestDeserialize: asIs,
  responseSerialize: asIs,
  responseDeserialize: asIs,
};

export type Held = ClientDuplexStream<Buffer, Buffer>;

/** A call that was tied, as the agent sees it. */
export interface Tied {
  readonly tie: Tie;
  readonly call: ServerDuplexStream<Buffer, Buffer>;
}

/** Of one agent that is client and server, in PEM. */
export interface Certificates extends TestPems {
  readonly ca: string;
}

export interface RigOptions extends Partial<Omit<ListenOptions, "server" | "credentials">> {
  readonly certificates?: Certificates | undefined;
  readonly heartbeatMs?: number;
  readonly keepalive?: { readonly timeMs: number; readonly timeoutMs: number };
  /** Waited for before the call is tied, like an agent's admission. */
  readonly admission?: (call: ServerDuplexStream<Buffer, Buffer>) => Promise<void>;
}

export class Rig {
  readonly #tied: Tied[] = [];
  readonly #callers: ChildProcess[] = [];
  readonly #clients: Client[] = [];
  #wake: () => void = () => {};

  private constructor(
    readonly listener: Listener,
    readonly tethers: Tethers,
    private readonly server: Server,
    private readonly certificates: Certificates | undefined,
  ) {}

  static async start(options: RigOptions = {}): Promise<Rig> {
    const { certificates, heartbeatMs = 0, keepalive, admission, ...door } = options;
    const server = new Server(
      keepalive === undefined
        ? {}
        : {
            "grpc.keepalive_time_ms": keepalive.timeMs,
            "grpc.keepalive_timeout_ms": keepalive.timeoutMs,
          },
    );
    let rig: Rig | undefined;
    const hold = async (call: ServerDuplexStream<Buffer, Buffer>) => {
      await admission?.(call);
      const tie = rig?.tethers.tie(call, { heartbeatMs });
      if (rig === undefined || tie === undefined) throw new Error("a call before the rig was up");
      call.on("data", () => {
        if (!tie.heartbeat()) call.pause();
      });
      call.write(Buffer.from("tied"));
      rig.#tied.push({ tie, call });
      rig.#wake();
    };
    server.addService({ hold: METHOD }, { hold });
    const listener = await listen({
      host: "127.0.0.1",
      port: 0,
      ...door,
      server,
      credentials: serverCredentials(certificates),
    });
    const { connections } = listener;
    rig = new Rig(listener, new Tethers({ connections }), server, certificates);
    return rig;
  }

  /** The next call that is tied. */
  async nextTie(): Promise<Tied> {
    for (;;) {
      const tied = this.#tied.shift();
      if (tied !== undefined) return tied;
      await within("a call is tied", new Promise<void>((resolve) => (this.#wake = resolve)));
    }
  }

  client(port = this.listener.port): Client {
    const client = new Client(`localhost:${port}`, clientCredentials(this.certificates), {
      "grpc.use_local_subchannel_pool": 1,
    });
    this.#clients.push(client);
    return client;
  }

  /** A call of this process. Its end is nobody's business here. */
  hold(client = this.client(), options: { deadline?: Date } & ClientOptions = {}): Held {
    const call = client.makeBidiStreamRequest(METHOD.path, asIs, asIs, options);
    call.on("error", () => {});
    call.on("data", () => {});
    call.write(Buffer.from("open"));
    return call;
  }

  /** A caller in a process of its own, which has the stream open. */
  async caller(beatMs = 0, host = "localhost"): Promise<ChildProcess> {
    const child = fork(new URL("./caller-for-tests.js", import.meta.url));
    this.#callers.push(child);
    const address = `${host}:${this.listener.port}`;
    child.send({ address, beatMs, certificates: this.certificates });
    await within("the caller is tied", once(child, "message"));
    return child;
  }

  async close(): Promise<void> {
    for (const child of this.#callers) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill("SIGKILL");
      await once(child, "exit");
    }
    for (const client of this.#clients) client.close();
    await this.listener.close();
    this.server.forceShutdown();
  }
}

export function makeCertificates(): Certificates {
  const { ca, issue } = makeAuthority();
  return { ca, ...issue({ dns: ["localhost"] }) };
}

function serverCredentials(certificates: Certificates | undefined): ServerCredentials {
  if (certificates === undefined) return ServerCredentials.createInsecure();
  const [ca, key, cert] = pem(certificates);
  return ServerCredentials.createSsl(ca, [{ private_key: key, cert_chain: cert }], true);
}

export function clientCredentials(certificates: Certificates | undefined): ChannelCredentials {
  if (certificates === undefined) return credentials.createInsecure();
  return credentials.createSsl(...pem(certificates));
}

function pem({ ca, key, cert }: Certificates): [ca: Buffer, key: Buffer, own: Buffer] {
  return [Buffer.from(ca), Buffer.from(key), Buffer.from(cert)];
}

/** Why it was cut; fails if it is not. */
export async function cause({ tie }: Tied): Promise<CutCause> {
  return (await within("the tether is cut", tie.cut)).cause;
}

/** Waits, but not for ever. */
export async function within<Value>(what: string, promise: Promise<Value>): Promise<Value> {
  const LIMIT_MS = 20_000;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not in ${LIMIT_MS} ms: ${what}`)), LIMIT_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
