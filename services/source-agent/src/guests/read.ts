/* Get, List and Watch: what lives here, and what changes. */

import { isDeepStrictEqual } from "node:util";
import { checkAddressee, checkGuestId } from "@ferry/agent-kit";
import {
  Fault,
  type GetRequest,
  type GetResponse,
  type Guest,
  type ListRequest,
  type ListResponse,
  type WatchRequest,
  type WatchResponse,
} from "@ferry/contract";
import type { Residents } from "../residents.js";
import { describe } from "./describe.js";

export function getHandler(residents: Residents, agentId: string) {
  return async (request: GetRequest): Promise<GetResponse> => {
    checkAddressee(request, agentId);
    const guestId = checkGuestId(request.guestId);
    const resident = await residents.find(guestId);
    if (resident === undefined) {
      throw new Fault("GUEST_UNKNOWN", `no guest ${guestId} lives here`);
    }
    return { agentId, guest: describe(resident) };
  };
}

export function listHandler(residents: Residents, agentId: string) {
  return async (request: ListRequest): Promise<ListResponse> => {
    checkAddressee(request, agentId);
    return { agentId, guests: (await residents.all()).map(describe) };
  };
}

export function watchHandler(residents: Residents, agentId: string) {
  return async function* (
    request: WatchRequest,
    { signal }: { signal: AbortSignal },
  ): AsyncGenerator<WatchResponse> {
    checkAddressee(request, agentId);
    const wanted = request.guestId === "" ? undefined : checkGuestId(request.guestId);
    const shown = new Map<string, Guest>();
    while (!signal.aborted) {
      const seen = residents.changes.version;
      const now = new Map<string, Guest>();
      for (const resident of await residents.all()) {
        if (wanted === undefined || resident.guestId === wanted) {
          now.set(resident.guestId, describe(resident));
        }
      }
      for (const [guestId, guest] of now) {
        if (isDeepStrictEqual(shown.get(guestId), guest)) continue;
        yield { agentId, guest, removed: false };
      }
      for (const [guestId, guest] of shown) {
        if (!now.has(guestId)) yield { agentId, guest, removed: true };
      }
      shown.clear();
      for (const [guestId, guest] of now) shown.set(guestId, guest);
      await residents.changes.after(seen, signal);
    }
  };
}
