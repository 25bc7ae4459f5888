/*
 * Tunnel's messages by hand. They carry every byte of a guest's memory, and the generated codec copies
 * each of them twice more each way. On the wire the two are equal, and a test holds them to it. This
 * one knows exactly the fields the .proto has and refuses all others: bytes it does not understand
 * are bytes the guest would miss.
 */
import { PeerServiceService, TunnelOpen } from "./gen/ferry/v1/peer_service.js";

/** Most bytes of data in one message, as the .proto promises. */
export const TUNNEL_DATA_BYTES_MAX = 1024 * 1024;

/** Bytes to send, in pieces as they were read; joined while the message is written. */
export type Pieces = readonly Uint8Array[];

/** TunnelRequest, as the tunnel sends it and as it receives it. */
export type TunnelRequestOut = { readonly open: TunnelOpen } | { readonly data: Pieces };
export type TunnelRequestIn = { readonly open: TunnelOpen } | { readonly data: Buffer };

/** Tag bytes: field number and wire type 2 (length-delimited). */
const REQUEST_OPEN = (1 << 3) | 2;
const REQUEST_DATA = (2 << 3) | 2;
const RESPONSE_DATA = (1 << 3) | 2;

export function encodeTunnelRequest(message: TunnelRequestOut): Buffer {
  if ("data" in message) return encodeField(REQUEST_DATA, message.data);
  return encodeField(REQUEST_OPEN, [TunnelOpen.encode(message.open).finish()]);
}

/** The answer's data is a view into `bytes`, not a copy. */
export function decodeTunnelRequest(bytes: Buffer): TunnelRequestIn {
  if (bytes[0] === REQUEST_DATA) return { data: onlyField(bytes) };
  if (bytes[0] === REQUEST_OPEN) return { open: TunnelOpen.decode(onlyField(bytes)) };
  throw new Error("a TunnelRequest must be `open` or `data`");
}

export function encodeTunnelResponse(data: Pieces): Buffer {
  return encodeField(RESPONSE_DATA, data);
}

/** The answer is a view into `bytes`, not a copy. No bytes at all mean empty data, as proto3 says. */
export function decodeTunnelResponse(bytes: Buffer): Buffer {
  if (bytes.length === 0) return bytes;
  if (bytes[0] !== RESPONSE_DATA) throw new Error("a TunnelResponse must be `data`");
  return onlyField(bytes);
}

/** Tunnel's method definition with this codec, for both a server and a client. */
export const tunnelMethod = {
  path: PeerServiceService.tunnel.path,
  requestStream: true,
  responseStream: true,
  requestSerialize: encodeTunnelRequest,
  requestDeserialize: decodeTunnelRequest,
  responseSerialize: encodeTunnelResponse,
  responseDeserialize: decodeTunnelResponse,
} as const;

/** One allocation, one copy: the pieces go straight to their places. */
function encodeField(tag: number, pieces: Pieces): Buffer {
  let length = 0;
  for (const piece of pieces) length += piece.length;
  if (length > TUNNEL_DATA_BYTES_MAX) throw new Error("more bytes than one message may carry");
  const varint: number[] = [];
  let left = length;
  while (left > 0x7f) {
    varint.push((left & 0x7f) | 0x80);
    left >>>= 7;
  }
  varint.push(left);
  const message = Buffer.allocUnsafeSlow(1 + varint.length + length);
  message[0] = tag;
  message.set(varint, 1);
  let at = 1 + varint.length;
  for (const piece of pieces) {
    message.set(piece, at);
    at += piece.length;
  }
  return message;
}

/** The value of a message's one field, which must fill the message exactly. */
function onlyField(message: Buffer): Buffer {
  let length = 0;
  let at = 1;
  for (let shift = 0; ; shift += 7) {
    const byte = message[at++];
    if (byte === undefined || shift > 21) throw new Error("a torn length");
    length |= (byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  if (length > TUNNEL_DATA_BYTES_MAX) throw new Error("more bytes than one message may carry");
  if (at + length !== message.length) throw new Error("a message that is not one field");
  return message.subarray(at);
}
