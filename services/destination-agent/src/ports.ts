/**
 * The ports incoming migrations may use. It only remembers what this agent holds: whether a port
 * is really free is for the listener to find out, since other programs live on the machine too.
 */
export class Ports {
  readonly #held = new Set<number>();

  /** `range` is asked anew each time: it may change while the agent runs. */
  constructor(readonly range: () => { readonly portFirst: number; readonly portLast: number }) {}

  get first(): number {
    return this.range().portFirst;
  }

  get last(): number {
    return this.range().portLast;
  }

  /** Ports nobody here holds, lowest first. */
  free(): number[] {
    const ports: number[] = [];
    for (let port = this.first; port <= this.last; port += 1) {
      if (!this.#held.has(port)) ports.push(port);
    }
    return ports;
  }

  take(port: number): void {
    this.#held.add(port);
  }

  giveBack(port: number): void {
    this.#held.delete(port);
  }
}
