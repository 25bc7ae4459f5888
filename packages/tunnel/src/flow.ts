/*
 * Bytes between a socket and a stream of messages, each way. Both ways the slower side sets the pace:
 * a QEMU that does not read stops the other QEMU from writing, with a bounded number of bytes in between.
 */
import type { Socket } from "node:net";
import type { Readable } from "node:stream";
import type { Pieces } from "@ferry/contract";

/** Pieces are gathered into messages of about this size while an earlier message is under way. */
const MESSAGE_BYTES = 256 * 1024;
/** Messages handed over and not yet taken by the connection: one travels, one waits its turn. */
const MESSAGES_UNDER_WAY_MAX = 2;
/** Bytes that may wait for QEMU to read them before the stream is held. */
const UNREAD_BYTES_MAX = 512 * 1024;

/** Where messages go. `taken` is called once the connection has taken all of one. */
export interface Sink {
  write(pieces: Pieces, taken: () => void): void;
  /** Called once, after the last message: the socket's stream has ended. */
  end(): void;
}

/**
 * Reads the socket and writes messages. Nothing waits for company: what has arrived leaves with the
 * next turn of the event loop, unless the connection is still busy with what left before.
 */
export function send(socket: Socket, sink: Sink): void {
  let pieces: Buffer[] = [];
  let bytes = 0;
  let underWay = 0;
  let flushing = false;
  let ended = false;

  socket.on("data", (piece: Buffer) => {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes >= MESSAGE_BYTES) flush();
    else if (underWay === 0 && !flushing) {
      flushing = true;
      setImmediate(() => {
        flushing = false;
        flush();
      });
    }
    if (bytes >= MESSAGE_BYTES) socket.pause();
  });
  socket.on("end", () => {
    ended = true;
    flush();
  });

  function flush(): void {
    if (bytes > 0 && underWay < MESSAGES_UNDER_WAY_MAX) {
      const message = pieces;
      pieces = [];
      bytes = 0;
      underWay += 1;
      sink.write(message, () => {
        underWay -= 1;
        flush();
        if (bytes < MESSAGE_BYTES) socket.resume();
      });
    }
    if (ended && bytes === 0) {
      ended = false;
      sink.end();
    }
  }
}

/**
 * Writes to the socket what the stream brings, and holds the stream while QEMU does not read.
 * `bytesOf` gives undefined for a message that has none.
 */
export function receive<Message>(
  stream: Readable,
  socket: Socket,
  bytesOf: (message: Message) => Buffer | undefined,
): void {
  stream.on("data", (message: Message) => {
    const bytes = bytesOf(message);
    if (bytes === undefined || bytes.length === 0 || !socket.writable) return;
    socket.write(bytes, () => {
      if (socket.writableLength < UNREAD_BYTES_MAX) stream.resume();
    });
    if (socket.writableLength >= UNREAD_BYTES_MAX) stream.pause();
  });
  stream.resume();
}
