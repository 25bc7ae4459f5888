/* What the contract bounds that its fields' types do not, for whoever asks and whoever answers. */

/** PerformRequest.timeout_ms at most: 24 days, since a timer of Node.js holds little more. */
export const TIMEOUT_MAX_MS = 24 * 24 * 60 * 60 * 1_000;
