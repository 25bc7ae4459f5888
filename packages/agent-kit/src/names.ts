/*
 * The names in a certificate. Only alternative names count, URI and DNS: a common name is free text
 * that nobody checks. Addresses name machines, not roles, and are left out.
 */
import type { PeerCertificate } from "node:tls";

/** One alternative name. */
export interface CertificateName {
  readonly kind: "URI" | "DNS";
  readonly value: string;
}

/** The names of a certificate that was verified already, in its order. */
export function namesIn({ subjectaltname }: PeerCertificate): CertificateName[] {
  return alternativeNames(subjectaltname ?? "").flatMap(({ type, value }) =>
    type === "URI" || type === "DNS" ? [{ kind: type, value }] : [],
  );
}

/** What to call a certificate in logs: its first name; failing that, its common name. */
export function calledBy(certificate: PeerCertificate): string {
  const commonName = certificate.subject?.CN;
  const fallback = typeof commonName === "string" ? `CN=${commonName}` : "a nameless certificate";
  return namesIn(certificate)[0]?.value ?? fallback;
}

/**
 * Splits Node's text of a certificate's alternative names, "DNS:a, URI:b". A name with a comma or
 * a quote in it comes as a JSON string, so a hostile DNS name cannot smuggle in a URI. Anything
 * that does not read to its end reads as no names at all.
 */
function alternativeNames(text: string): { readonly type: string; readonly value: string }[] {
  const names: { type: string; value: string }[] = [];
  const entry = /([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^",]*)(?:, |$)/y;
  while (entry.lastIndex < text.length) {
    const found = entry.exec(text);
    if (found === null) return [];
    const [, type = "", value = ""] = found;
    names.push({ type, value: value.startsWith('"') ? String(JSON.parse(value)) : value });
  }
  return names;
}
