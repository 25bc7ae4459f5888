/*
 * Frames that cost the caller nothing and us some work each: PING and SETTINGS. No client of gRPC sends
 * more than a few a second; one that sends thousands keeps the loop busy on which everybody's
 * tethers hang, and is put out alone. What else HTTP/2 can flood with is bounded below us: resets and
 * invalid frames by nghttp2, streams by the server's settings.
 */
import { constants, type Http2Session } from "node:http2";

export type Flood = "ping_flood" | "settings_flood";

/** So many at once, and so many a second for ever. A keepalive of 100 ms is 10 pings a second. */
const PINGS = { burst: 200, perSecond: 50 };
const SETTINGS = { burst: 50, perSecond: 5 };

/** Ends the session, with a farewell that says why, at the first frame too many. */
export function watchFloods(session: Http2Session, flooded: (what: Flood) => void): void {
  const end = (what: Flood) => () => {
    if (session.destroyed) return;
    flooded(what);
    session.destroy(undefined, constants.NGHTTP2_ENHANCE_YOUR_CALM);
  };
  session.on("ping", budget(PINGS, end("ping_flood")));
  session.on("remoteSettings", budget(SETTINGS, end("settings_flood")));
}

/**
 * Messages on one tether. A heart beats ten times a second at most; the burst is what a caller that stood
 * still for a minute may send at once. Each message costs this agent's loop more than a ping does.
 */
const HEARTBEATS = { burst: 600, perSecond: 50 };

/** Takes note of one message; `flooded` is called at the first one too many, and at every one after it. */
export function heartbeatBudget(flooded: () => void): () => void {
  return budget(HEARTBEATS, flooded);
}

/** A bucket that fills again as time goes by. */
function budget(
  { burst, perSecond }: { readonly burst: number; readonly perSecond: number },
  spent: () => void,
): () => void {
  let left = burst;
  let at = performance.now();
  return () => {
    const now = performance.now();
    left = Math.min(burst, left + ((now - at) / 1000) * perSecond) - 1;
    at = now;
    if (left < 0) spent();
  };
}
