// When to come back after a connection ended. Pure.

const BASE_MS = 500;
const CAP_MS = 30_000;
const FIRST_MS = 1_000;

/** Closes after which coming back can't help; everything else comes back. */
const FINAL = new Set([1000, 1002, 1003, 1007, 1008, 1009, 1010]);

/**
 * Full jitter: anywhere up to a bound that doubles with each attempt, so that a crowd that lost one
 * node does not return in step.
 *
 * @param {number} attempt 0 for the first
 * @param {number} random in [0, 1)
 */
export function waitMs(attempt, random) {
  const bound = attempt === 0 ? FIRST_MS : Math.min(CAP_MS, BASE_MS * 2 ** Math.min(attempt, 10));
  return Math.floor(random * bound);
}

/** Whether a client comes back after this close code (1005 and 1006 stand for "none"). @param {number} code */
export function comesBack(code) {
  return code < 4500 && !FINAL.has(code);
}

/** Whether a new token is needed first. @param {number} code */
export function needsToken(code) {
  return code === 4401;
}
