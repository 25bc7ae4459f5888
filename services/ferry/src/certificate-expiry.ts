/*
 * When the certificates end that a host's agents show, and our own. The agent is only greeted: TLS
 * shows its certificate before a word is said, and even if it is one we would not speak to.
 */
import { X509Certificate } from "node:crypto";
import { connect } from "node:tls";
import type { Security } from "@ferry/client";

/** Undefined over plaintext, and if nobody answers there in time: others will say so. */
export function agentCertificateEnd(
  address: string,
  { tls }: Security,
  timeoutMs: number,
): Promise<Date | undefined> {
  if (tls === undefined) return Promise.resolve(undefined);
  const at = address.lastIndexOf(":");
  const host = address.slice(0, at).replace(/^\[|\]$/g, "");
  const { ca, cert, key } = tls;
  return new Promise((resolve) => {
    const socket = connect(
      { host, port: Number(address.slice(at + 1)), ca, cert, key, rejectUnauthorized: false },
      () => {
        const { valid_to: end } = socket.getPeerCertificate();
        finish(end === undefined ? undefined : new Date(end));
      },
    );
    const finish = (end: Date | undefined) => {
      socket.destroy();
      resolve(end);
    };
    socket.setTimeout(timeoutMs, () => finish(undefined));
    socket.on("error", () => finish(undefined));
  });
}

/** Undefined over plaintext. */
export function ownCertificateEnd({ tls }: Security): Date | undefined {
  return tls === undefined ? undefined : new Date(new X509Certificate(tls.cert).validTo);
}
