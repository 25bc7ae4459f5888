/*
 * A small certificate authority for trials and small fleets: one CA, one certificate per host, one
 * for a controller. A host's certificate names the host (URI ferry://agent/HOST, by which agents know
 * each other) and its addresses; it serves and it dials, since each agent does both.
 */
import { randomBytes, webcrypto } from "node:crypto";
import { isIP } from "node:net";

/** PEM texts. */
export interface Issued {
  readonly cert: string;
  readonly key: string;
}

export interface Authority extends Issued {
  /** A host's agents: `names` are its DNS names and IP addresses. */
  host(hostId: string, names: readonly string[]): Promise<Issued>;
  controller(name: string): Promise<Issued>;
  /** A person who may stand in for a host that is gone, and may sweep. */
  operator(name: string): Promise<Issued>;
}

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
/** Clocks of two hosts may differ by this much, in milliseconds, and a new certificate still holds. */
const SKEW_MS = 5 * 60_000;
const DAY_MS = 24 * 60 * 60_000;

export async function makeAuthority(days: number): Promise<Authority> {
  const x509 = await import("./x509.js"); // large, and no other command needs it
  x509.cryptoProvider.set(webcrypto);
  const notBefore = new Date(Date.now() - SKEW_MS);
  const notAfter = new Date(Date.now() + days * DAY_MS);
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
    controller: (controller) => issue(controller, `ferry://controller/${controller}`, []),
    operator: (operator) => issue(operator, `ferry://operator/${operator}`, []),
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
