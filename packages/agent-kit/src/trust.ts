/*
 * Whether a certificate that was let in once would be let in now. TLS asks only when a connection is made, and a
 * connection may be kept for as long as somebody likes: taking a CA out of the bundle would mean nothing to whoever
 * holds one that it signed for.
 */
import { X509Certificate } from "node:crypto";
import type { DetailedPeerCertificate, PeerCertificate } from "node:tls";

/** Certificates on the way to a CA; more is a loop. */
const CHAIN_MAX = 16;

/** Every certificate of a bundle: one that is torn in the middle must not be taken for a shorter one. */
export function bundle(pem: Buffer): X509Certificate[] {
  const blocks = pem.toString("latin1").split(/(?=-----BEGIN CERTIFICATE-----)/);
  const certificates = blocks.filter((block) => block.startsWith("-----BEGIN CERTIFICATE-----"));
  if (certificates.length === 0) throw new Error("there is no certificate in it");
  return certificates.map((block) => new X509Certificate(block));
}

/**
 * Whether one of `authorities` signed it, or a certificate it came with. That each of those signed the one before,
 * and may, was found out when it was let in.
 */
export function isSignedBy(
  shown: PeerCertificate,
  authorities: readonly X509Certificate[],
): boolean {
  return chainOf(shown).some((each) =>
    authorities.some((ca) => each.checkIssued(ca) && each.verify(ca.publicKey)),
  );
}

function chainOf(shown: PeerCertificate): X509Certificate[] {
  const chain: X509Certificate[] = [];
  let next: Partial<DetailedPeerCertificate> | undefined = shown;
  while (next?.raw !== undefined && chain.length < CHAIN_MAX) {
    chain.push(new X509Certificate(next.raw));
    const issuer: Partial<DetailedPeerCertificate> | undefined = next.issuerCertificate;
    next = issuer === next ? undefined : issuer; // a CA signed itself
  }
  return chain;
}
