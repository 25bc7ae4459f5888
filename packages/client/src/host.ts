/* One host: its two agents, and thin calls to them. */
import { Agent } from "./agent.js";
import { channelSecurity, type Security } from "./credentials.js";
import { Guests } from "./guests.js";

export interface HostAddress {
  /** "host:port" of the source agent, which owns the guests that live there. */
  readonly source: string;
  /** "host:port" of the destination agent, which owns the guests that are arriving. */
  readonly destination: string;
  /**
   * The host's id, if it is known: the certificate must name it, and both agents must answer to it.
   * Without it, whichever host answers first is held to be the one that was meant.
   */
  readonly hostId?: string;
  /** The caller's place in a trace, as W3C's traceparent: sent with every call that names none of its own. */
  readonly traceparent?: string | undefined;
}

export interface Host {
  readonly source: Agent;
  readonly destination: Agent;
  /** "HOST/source" and "HOST/destination" as expected_agent_id; empty where the host's id is not known. */
  readonly expected: { readonly source: string; readonly destination: string };
  readonly guests: Guests;
  /** Hangs up. A tether that is open through this host is cut. */
  close(): void;
}

/** Nothing is dialled before the first call. */
export function connectHost(options: HostAddress & Security): Host {
  const { hostId, traceparent } = options;
  const connect = (address: string) => {
    const security = channelSecurity(options, address, hostId);
    return new Agent(address, security.credentials, security.options, traceparent);
  };
  const source = connect(options.source);
  const destination = connect(options.destination);
  const expected = {
    source: hostId === undefined ? "" : `${hostId}/source`,
    destination: hostId === undefined ? "" : `${hostId}/destination`,
  };
  return {
    source,
    destination,
    expected,
    guests: new Guests(source, expected.source),
    close: () => {
      source.close();
      destination.close();
    },
  };
}
