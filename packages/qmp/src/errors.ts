/*
 * Two kinds of bad news, kept apart by their classes because custody hangs on the difference: QEMU
 * said no (QmpError), or nothing was heard (QmpSilence). Silence proves nothing: the command may
 * have been carried out.
 */

/** QEMU's explicit refusal of a command. The only thing that may ever count as a "no". */
export class QmpError extends Error {
  override readonly name = "QmpError";

  /** QEMU's class, e.g. "GenericError", "CommandNotFound", "DeviceNotFound". */
  readonly class: string;

  constructor(
    readonly command: string,
    errorClass: string,
    /** QEMU's own words. For people; nothing is decided from them. */
    readonly description: string,
  ) {
    super(`QEMU refused ${command}: ${description}`);
    this.class = errorClass;
  }
}

/** No answer was heard: whoever needs to know asks again. */
export abstract class QmpSilence extends Error {}

/** The connection is gone, or never came to be. */
export class QmpLost extends QmpSilence {
  override readonly name = "QmpLost";
}

/** The answer did not come in time. The connection is still up, and the answer, if it comes, is dropped. */
export class QmpTimeout extends QmpSilence {
  override readonly name = "QmpTimeout";

  constructor(
    readonly command: string,
    readonly timeoutMs: number,
  ) {
    super(`QEMU did not answer ${command} within ${timeoutMs} ms; it may still carry it out`);
  }
}

/** What the peer sent is not QMP. Ends the connection. */
export class QmpRubbish extends Error {
  override readonly name = "QmpRubbish";
}
