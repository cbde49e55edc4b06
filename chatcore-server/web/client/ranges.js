// Ranges of a stream join without holes: the pure part that checks it.

/** @import { Position, ServerFrame, StreamReset } from './frames.js' */

/** @typedef {Extract<ServerFrame, { range: unknown }>['range']} Range */

/** The protocol's limit of a resume. */
const RESUMED_MAX = 100;

/**
 * Follows positions of streams. It never guesses: what does not join is `broken`, and the caller
 * reconnects and resumes from what it really has.
 */
export class Ranges {
  /** @type {Map<string, Position>} */
  #positions = new Map();

  /** @param {string} stream */
  position(stream) {
    return this.#positions.get(stream) ?? null;
  }

  /** The positions to resume from, by stream: those that moved last, when there are too many. */
  resume() {
    return Object.fromEntries([...this.#positions].slice(-RESUMED_MAX));
  }

  /** @param {StreamReset} reset */
  reset(reset) {
    this.#move(reset.stream, reset.position);
  }

  /** @param {string} stream */
  forget(stream) {
    this.#positions.delete(stream);
  }

  /**
   * `apply`: the range goes on where this stream was. `duplicate`: already had. `broken`: a hole, or
   * another history.
   *
   * @param {Range} range
   * @returns {'apply' | 'duplicate' | 'broken'}
   */
  accept(range) {
    const have = this.#positions.get(range.stream);
    if (!have) {
      if (range.after.seq !== 0) {
        return 'broken';
      }
      return this.#advance(range);
    }
    if (range.after.seq === have.seq) {
      return range.after.hash === have.hash ? this.#advance(range) : 'broken';
    }
    if (range.upto.seq > have.seq) {
      return 'broken';
    }
    const other = range.upto.seq === have.seq && range.upto.hash !== have.hash;
    return other ? 'broken' : 'duplicate';
  }

  /** @param {Range} range @returns {'apply' | 'broken'} */
  #advance(range) {
    if (range.upto.seq < range.after.seq || !ordered(range)) {
      return 'broken';
    }
    this.#move(range.stream, range.upto);
    return 'apply';
  }

  /** @param {string} stream @param {Position} position */
  #move(stream, position) {
    this.#positions.delete(stream);
    this.#positions.set(stream, position);
  }
}

/**
 * Whether a range's events lie within it, each after the one before, and the last one's hash is the
 * range's where it ends the range.
 *
 * @param {Range} range
 */
function ordered(range) {
  let last = range.after.seq;
  for (const event of range.events) {
    if (event.seq <= last || event.seq > range.upto.seq) {
      return false;
    }
    if (event.seq === range.upto.seq && event.hash !== range.upto.hash) {
      return false;
    }
    last = event.seq;
  }
  return true;
}
