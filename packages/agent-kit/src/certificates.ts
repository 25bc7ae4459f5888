/*
 * An agent's certificate, key and CA, read from files and read again when they change, so that
 * renewing a certificate needs no restart. A half-written or mismatched pair is not taken: the
 * last good one stays in force, and the log says so.
 */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import type { experimental } from "@grpc/grpc-js";
import type { Config } from "./config.js";
import { identityIn, namesOfAgent } from "./identity.js";
import type { Logger } from "./logs.js";
import type { Metrics } from "./metrics.js";
import type { PolicyInForce } from "./policy-file.js";
import { bundle } from "./trust.js";

/** How often the files are looked at, in milliseconds. */
const LOOK_MS = 10_000;

/** PEM texts that belong together. */
export interface Pems {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca: Buffer;
}

export interface CertificatesOptions {
  readonly files: Config["tls"];
  readonly hostId: string;
  readonly log: Logger;
  /** Says by which names an agent is known. */
  readonly policy: Pick<PolicyInForce, "current">;
  /** Called whenever it turns out whether the files on disk are those in force. */
  readonly inForce?: (isInForce: boolean) => void;
  /** Called with the end of the certificate's life, at once and after every change. */
  readonly expires?: (at: Date) => void;
  readonly lookMs?: number;
}

/** The agent's certificates; undefined over plaintext, which is warned about. */
export function certificatesOf(
  config: Config,
  {
    log,
    metrics,
    policy,
  }: { readonly log: Logger; readonly metrics: Metrics; readonly policy: PolicyInForce },
): Certificates | undefined {
  metrics.plaintext.set(config.plaintext ? 1 : 0);
  if (config.plaintext) {
    log.warn(
      "plaintext: true: anybody who reaches this agent's port can command it and pose as another agent; it is for trials only",
    );
    return undefined;
  }
  return new Certificates({
    files: config.tls,
    hostId: config.hostId,
    log,
    policy,
    inForce: (isInForce) => metrics.fileRefused.set({ file: "tls" }, isInForce ? 0 : 1),
    expires: (at) => metrics.certificateExpires.set(at.getTime() / 1000),
  });
}

type CaListener = experimental.CaCertificateUpdateListener;
type IdentityListener = experimental.IdentityCertificateUpdateListener;

/** Feeds grpc-js's servers and channels; a running server takes up what is new. */
export class Certificates implements experimental.CertificateProvider {
  readonly #options: CertificatesOptions;
  readonly #timer: NodeJS.Timeout;
  readonly #caListeners = new Set<CaListener>();
  readonly #identityListeners = new Set<IdentityListener>();
  readonly #changes = new Set<() => void>();
  #pems: Pems;
  /** What was refused last, and in which words, so that it is complained about once. */
  #refused: { readonly pems: Pems | undefined; readonly complaint: string } | undefined;

  /** Throws, saying which file and why, if they cannot be used now. */
  constructor(options: CertificatesOptions) {
    this.#options = options;
    this.#pems = this.#read();
    this.#take(this.#pems);
    this.#timer = setInterval(() => this.look(), options.lookMs ?? LOOK_MS);
    this.#timer.unref();
  }

  /** What is in force now. */
  get pems(): Pems {
    return this.#pems;
  }

  /** Looks at the files now; also done every 10 s. */
  look(): void {
    const { log, inForce } = this.#options;
    let found: Pems | undefined;
    try {
      found = this.#read();
      if (same(found, this.#pems)) {
        this.#refused = undefined;
        inForce?.(true);
        return;
      }
      this.#take(found);
      inForce?.(true);
    } catch (error) {
      inForce?.(false);
      const complaint = error instanceof Error ? error.message : String(error);
      if (this.#refused?.complaint === complaint && sameOrNeither(found, this.#refused.pems)) {
        return;
      }
      this.#refused = { pems: found, complaint };
      log.error({ err: error }, "the new TLS files cannot be used; the old ones stay in force");
      return;
    }
    log.info("TLS files read again");
    const { ca, cert, key } = found;
    for (const listener of this.#caListeners) listener({ caCertificate: ca });
    for (const listener of this.#identityListeners)
      listener({ certificate: cert, privateKey: key });
    for (const changed of this.#changes) changed();
  }

  /** Called whenever others have come into force. */
  onChange(changed: () => void): void {
    this.#changes.add(changed);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  addCaCertificateListener(listener: CaListener): void {
    this.#caListeners.add(listener);
    soon(() => listener({ caCertificate: this.#pems.ca }));
  }

  removeCaCertificateListener(listener: CaListener): void {
    this.#caListeners.delete(listener);
  }

  addIdentityCertificateListener(listener: IdentityListener): void {
    this.#identityListeners.add(listener);
    soon(() => listener({ certificate: this.#pems.cert, privateKey: this.#pems.key }));
  }

  removeIdentityCertificateListener(listener: IdentityListener): void {
    this.#identityListeners.delete(listener);
  }

  #read(): Pems {
    const { cert, key, ca } = this.#options.files;
    return { cert: read("tls.cert", cert), key: read("tls.key", key), ca: read("tls.ca", ca) };
  }

  /** Checks that the three can be used by this host, and puts them in force. */
  #take(pems: Pems): void {
    const { files, hostId, policy, expires } = this.#options;
    const certificate = parse("tls.cert", files.cert, () => new X509Certificate(pems.cert));
    const key = parse("tls.key", files.key, () => createPrivateKey(pems.key));
    parse("tls.ca", files.ca, () => bundle(pems.ca));
    if (!certificate.checkPrivateKey(key)) {
      throw new Error(`tls.key (${files.key}) is not the key of tls.cert (${files.cert})`);
    }
    tryOut(pems, files);
    const identity = identityIn(certificate.toLegacyObject(), policy.current);
    if (identity.hostId !== hostId) {
      throw new Error(
        `tls.cert (${files.cert}) must have the name ${namesOfAgent(hostId, policy.current)}, this host's: ` +
          "other agents would refuse it. Make one with `ferry certs`",
      );
    }
    const end = new Date(certificate.validTo);
    if (end.getTime() < Date.now()) {
      throw new Error(`tls.cert (${files.cert}) ended on ${end.toISOString()}: renew it`);
    }
    this.#pems = pems;
    this.#refused = undefined;
    expires?.(end);
  }
}

/**
 * grpc-js listens to its credentials only after it has asked them to listen to us: what it is told
 * at once, its server never hears, and turns every connection away.
 */
function soon(tell: () => void): void {
  process.nextTick(tell);
}

/**
 * What every server of ours will do with them. It reads more than the first certificate, and refuses weak
 * keys and digests: thrown where they are handed on, that would end the agent.
 */
function tryOut({ cert, key, ca }: Pems, files: Config["tls"]): void {
  try {
    createSecureContext({ cert, key, ca });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(
      `tls.cert (${files.cert}) and the certificates after it, tls.key and tls.ca (${files.ca}) cannot be used for TLS: ${why}. Make others with \`ferry certs\``,
      { cause: error },
    );
  }
}

function read(name: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(
      `${name} cannot be read: ${why}. Make certificates with \`ferry certs\`, or say "plaintext: true" for a trial`,
      { cause: error },
    );
  }
}

function parse<Parsed>(name: string, path: string, parser: () => Parsed): Parsed {
  try {
    return parser();
  } catch (error) {
    throw new Error(`${name} (${path}) is not what it should be, in PEM`, { cause: error });
  }
}

function sameOrNeither(one: Pems | undefined, other: Pems | undefined): boolean {
  return one === undefined || other === undefined ? one === other : same(one, other);
}

function same(one: Pems, other: Pems): boolean {
  return one.cert.equals(other.cert) && one.key.equals(other.key) && one.ca.equals(other.ca);
}
