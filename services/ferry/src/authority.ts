/*
 * A small certificate authority for trials and small fleets: one CA, one certificate per host, and
 * one for each caller. A host's certificate names the host (URI ferry://agent/HOST, by which agents know
 * each other) and its addresses; it serves and it dials, since each agent does both.
 */
import { createPrivateKey, randomBytes, webcrypto, X509Certificate } from "node:crypto";
import { isIP } from "node:net";

/** PEM texts. */
export interface Issued {
  readonly cert: string;
  readonly key: string;
}

export interface Authority extends Issued {
  /** A host's agents: `names` are its DNS names and IP addresses. */
  host(hostId: string, names: readonly string[]): Promise<Issued>;
  /** Anybody who calls; the role decides what they may. */
  caller(role: CallerRole, name: string): Promise<Issued>;
}

/** Roles of callers that are no agents: what each may do is in docs/security.md. */
export const CALLER_ROLES = ["controller", "viewer", "operator"] as const;
export type CallerRole = (typeof CALLER_ROLES)[number];

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
/** Clocks of two hosts may differ by this much, in milliseconds, and a new certificate still holds. */
const SKEW_MS = 5 * 60_000;
const DAY_MS = 24 * 60 * 60_000;

/** A new authority. */
export async function makeAuthority(days: number): Promise<Authority> {
  const x509 = await loadX509();
  const { notBefore, notAfter } = validity(days);
  const keys = await newKeys();
  const name = "CN=Ferry CA";
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name,
    notBefore,
    notAfter,
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });

  return authorityOf(ca, keys, days);
}

/** An authority that was made before, by its PEM texts. Throws if they do not belong together, or if it has ended. */
export async function openAuthority({ cert, key }: Issued, days: number): Promise<Authority> {
  const x509 = await loadX509();
  const ca = new x509.X509Certificate(cert);
  if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) {
    throw new Error("the key is not that of the certificate");
  }
  if (ca.notAfter.getTime() <= Date.now()) {
    throw new Error(`it ended on ${ca.notAfter.toISOString()}: nobody takes what it signs`);
  }
  const pkcs8 = x509.PemConverter.decode(key)[0] ?? new ArrayBuffer(0);
  const keys = {
    privateKey: await webcrypto.subtle.importKey("pkcs8", pkcs8, ALGORITHM, true, ["sign"]),
    publicKey: await webcrypto.subtle.importKey("spki", ca.publicKey.rawData, ALGORITHM, true, [
      "verify",
    ]),
  };
  return authorityOf(ca, keys, days);
}

type X509 = Awaited<ReturnType<typeof loadX509>>;

async function loadX509() {
  const x509 = await import("./x509.js"); // large, and no other command needs it
  x509.cryptoProvider.set(webcrypto);
  return x509;
}

function validity(days: number) {
  return {
    notBefore: new Date(Date.now() - SKEW_MS),
    notAfter: new Date(Date.now() + days * DAY_MS),
  };
}

async function authorityOf(
  ca: InstanceType<X509["X509Certificate"]>,
  keys: webcrypto.CryptoKeyPair,
  days: number,
): Promise<Authority> {
  const x509 = await loadX509();
  const { notBefore, notAfter: wanted } = validity(days);
  // Whoever looks when a certificate ends shall see the day on which it is taken no more.
  const notAfter = new Date(Math.min(wanted.getTime(), ca.notAfter.getTime()));
  const issue = async (subject: string, uri: string, names: readonly string[]): Promise<Issued> => {
    const own = await newKeys();
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: serial(),
      subject: `CN=${subject}`,
      issuer: ca.subject,
      notBefore,
      notAfter,
      signingAlgorithm: ALGORITHM,
      publicKey: own.publicKey,
      signingKey: keys.privateKey,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([
          x509.ExtendedKeyUsage.serverAuth,
          x509.ExtendedKeyUsage.clientAuth,
        ]),
        new x509.SubjectAlternativeNameExtension([
          { type: "url", value: uri },
          ...names.map((value) => ({ type: isIP(value) === 0 ? "dns" : "ip", value }) as const),
        ]),
        await x509.SubjectKeyIdentifierExtension.create(own.publicKey),
        await x509.AuthorityKeyIdentifierExtension.create(keys.publicKey),
      ],
    });
    return { cert: `${certificate.toString("pem")}\n`, key: await pem(own.privateKey) };
  };

  const pem = async (key: webcrypto.CryptoKey) =>
    `${x509.PemConverter.encode(await webcrypto.subtle.exportKey("pkcs8", key), "PRIVATE KEY")}\n`;

  return {
    cert: `${ca.toString("pem")}\n`,
    key: await pem(keys.privateKey),
    host: (hostId, names) => issue(hostId, `ferry://agent/${hostId}`, names),
    caller: (role, caller) => issue(caller, `ferry://${role}/${caller}`, []),
  };
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
}

/** 127 random bits: positive, and never the same twice. */
function serial(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0] ?? 0) & 0x7f || 1;
  return bytes.toString("hex");
}
