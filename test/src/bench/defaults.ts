/** The agents' own server keepalive, which the tests make shorter. */
export const DEFAULT_KEEPALIVE = { timeMs: 2_000, timeoutMs: 8_000 };
