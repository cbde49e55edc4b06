// Numbers commands and keeps them until their outcome is known. Pure: no clock, storage or socket.
//
// Per target the server takes only the next number. So a line sends ahead, and whenever an answer
// says that a number was not taken, it stops, waits until everything on its way has been answered,
// numbers what is left anew, and goes on. Nothing is numbered anew while an answer to the old number
// may still come.

/** @import { Command, Outcome, ServerFrame, Target, Wrong } from './frames.js' */

/** @typedef {Extract<ServerFrame, { reply: unknown }>['reply']} Answer to one command */

/**
 * @typedef {'waiting' | 'sent' | 'durable' | 'done' | 'failed' | 'conflict'} ItemState
 * `maybe`: it was sent before under this device id, and whether it was done then is not known.
 * @typedef {{ id: string, command: Command, at: number, state: ItemState, maybe?: boolean }} Item
 * @typedef {{ target: Target, first: number, items: Item[], outstanding: number, rewinding: boolean, expected: number | null, settled: number }} Line
 * @typedef {{ lines: { target: Target, first: number, items: { id: string, command: Command, at: number, done?: boolean, maybe?: boolean }[] }[] }} Saved
 * @typedef {{ target: Target, item: Item, outcome: Outcome | 'settled' }} Settled
 */

/** Errors after which the same command may go through later. */
const RETRYABLE = new Set(['overloaded', 'rebuilding', 'unavailable', 'internal']);

/** @param {Target} target */
export function targetKey(target) {
  return 'customer' in target ? `customer/${target.customer}` : `desk/${target.desk}`;
}

export class Outbox {
  /** @type {Map<string, Line>} */
  #lines = new Map();

  /** @param {Saved | null} [saved] what `save` returned in an earlier life of this device */
  constructor(saved = null) {
    for (const { target, first, items } of saved?.lines ?? []) {
      const line = this.#line(target);
      line.first = first;
      line.settled = first - 1;
      line.items = items.map(({ id, command, at, done, maybe }) => ({ id, command, at, state: done ? 'done' : 'waiting', ...(maybe ? { maybe } : {}) }));
    }
  }

  /** What must be kept so that nothing is lost and no number is used twice. @returns {Saved} */
  save() {
    const lines = [...this.#lines.values()].map(({ target, first, items }) => ({
      target,
      first,
      items: items
        .filter((item) => item.state !== 'failed')
        .map((item) => {
          const { id, command, at } = item;
          return { id, command, at, ...(item.state === 'done' ? { done: true } : {}), ...(mayBeDone(item) ? { maybe: true } : {}) };
        }),
    }));
    return { lines };
  }

  /** @param {Target} target @param {Command} command @param {string} id @param {number} at @returns {Item} */
  add(target, command, id, at) {
    /** @type {Item} */
    const item = { id, command, at, state: 'waiting' };
    this.#line(target).items.push(item);
    return item;
  }

  /** What has no outcome yet, in order. @returns {{ target: Target, item: Item }[]} */
  pending() {
    return [...this.#lines.values()].flatMap(({ target, items }) =>
      items.filter(unanswered).map((item) => ({ target, item })),
    );
  }

  /** Whether anything on its way has no answer yet. */
  awaiting() {
    return [...this.#lines.values()].some((line) => line.outstanding > 0);
  }

  /**
   * The frames to send now, with at most `window` commands not durable at a time.
   *
   * @param {number} window
   * @param {(target: Target) => boolean} [paused] lines that must wait
   * @returns {{ target: Target, n: number, command: Command }[]}
   */
  take(window, paused = () => false) {
    const lines = [...this.#lines.values()];
    let room = window - lines.flatMap((line) => line.items).filter((item) => item.state === 'sent').length;
    // Before a new device id nothing new is sent under the old one; what may have been done is.
    const leaving = lines.some(hasConflict);
    const frames = [];
    for (const line of lines) {
      if ((line.rewinding && !hasConflict(line)) || paused(line.target)) {
        continue;
      }
      for (const [index, item] of line.items.entries()) {
        if (item.state === 'waiting' && room > 0 && (item.maybe || !leaving)) {
          item.state = 'sent';
          line.outstanding += 1;
          room -= 1;
          frames.push({ target: line.target, n: line.first + index, command: item.command });
        }
      }
    }
    return frames;
  }

  /** Everything up to `n` is written down. @param {Target} target @param {number} n */
  durable(target, n) {
    const line = this.#line(target);
    for (const [index, item] of line.items.entries()) {
      if (item.state === 'sent' && line.first + index <= n) {
        item.state = 'durable';
      }
    }
  }

  /** @param {Answer} frame @returns {Settled | null} what is finished by it */
  reply({ target, n, reply }) {
    const line = this.#line(target);
    line.outstanding = Math.max(0, line.outstanding - 1);
    const item = line.items[n - line.first];
    let settled = null;
    if (typeof reply !== 'string' && 'expected' in reply) {
      line.rewinding = true;
      line.expected = reply.expected.n;
      if (item && unanswered(item) && item.state !== 'conflict' && hasConflict(line)) {
        item.state = 'waiting';
        item.maybe = false;
      }
    } else if (item && unanswered(item)) {
      // Forgotten: what was sent before may have been done, and nobody knows any more. What was not
      // is free, under a new device id.
      const outcome = reply === 'forgotten' ? (item.maybe ? 'settled' : null) : reply === 'settled' ? reply : reply.outcome;
      if (!outcome || isConflict(outcome)) {
        item.state = 'conflict';
        line.rewinding = true;
      } else {
        item.state = 'done';
        this.#askAgainBelow(line, n);
        settled = { target, item, outcome };
      }
    }
    this.#advance(line);
    return settled;
  }

  /**
   * The server did not take a command; its number is free. Null when the error is about none.
   *
   * @param {Wrong} frame
   * @returns {{ target: Target, item: Item, again: boolean } | null}
   */
  refused({ code, target, n }) {
    if (!target || !n) {
      return null;
    }
    const line = this.#line(target);
    line.outstanding = Math.max(0, line.outstanding - 1);
    line.rewinding = true;
    const item = line.items[n - line.first];
    const again = RETRYABLE.has(code);
    const known = item && unanswered(item) && item.state !== 'waiting';
    if (known) {
      item.state = again ? 'waiting' : 'failed';
      if (code === 'unavailable') {
        item.maybe = true;
      }
    }
    this.#advance(line);
    return known ? { target, item, again } : null;
  }

  /** The connection ended: what has no outcome is sent again, in order, on the next one. */
  disconnected() {
    for (const line of this.#lines.values()) {
      for (const item of line.items) {
        if (mayBeDone(item)) {
          item.maybe = true;
        }
      }
      line.outstanding = 0;
      this.#advance(line);
      this.#rewind(line);
    }
  }

  /**
   * Whether a new device id is needed and may be taken: the server knows one of our numbers for
   * something else, or knows this device no more. All that may have been done under the old id has
   * been answered by then.
   */
  conflicted() {
    const lines = [...this.#lines.values()];
    const open = (/** @type {Line} */ line) => line.outstanding > 0 || line.items.some(mayBeDone);
    return lines.some(hasConflict) && !lines.some(open);
  }

  /** Under a new device id everything unfinished is counted from 1. */
  restart() {
    for (const line of this.#lines.values()) {
      line.items = line.items.filter(unanswered).map(({ id, command, at }) => ({ id, command, at, state: 'waiting' }));
      line.first = 1;
      line.settled = 0;
      line.outstanding = 0;
      this.#rewind(line);
    }
  }

  /** Outcomes to acknowledge, each told once. @returns {{ target: Target, n: number }[]} */
  settle() {
    const told = [];
    for (const line of this.#lines.values()) {
      if (line.first - 1 > line.settled) {
        line.settled = line.first - 1;
        told.push({ target: line.target, n: line.settled });
      }
    }
    return told;
  }

  /** @param {Target} target @returns {Line} */
  #line(target) {
    const key = targetKey(target);
    let line = this.#lines.get(key);
    if (!line) {
      line = { target, first: 1, items: [], outstanding: 0, rewinding: false, expected: null, settled: 0 };
      this.#lines.set(key, line);
    }
    return line;
  }

  /** An outcome came, but not those before it: they were lost on the way. @param {Line} line @param {number} n */
  #askAgainBelow(line, n) {
    for (const item of line.items.slice(0, n - line.first)) {
      if (item.state === 'sent' || item.state === 'durable') {
        item.state = 'waiting';
        item.maybe = true;
        line.outstanding = Math.max(0, line.outstanding - 1);
      }
    }
  }

  /** @param {Line} line */
  #advance(line) {
    while (line.items[0]?.state === 'done') {
      line.items.shift();
      line.first += 1;
    }
    if (line.rewinding && line.outstanding === 0 && !hasConflict(line)) {
      this.#rewind(line);
    }
  }

  /** Numbers what is left anew: nothing is on its way. @param {Line} line */
  #rewind(line) {
    // A failed command's number is free, unless a later one was taken: then it was used after all.
    const lastDone = line.items.findLastIndex((item) => item.state === 'done');
    line.items = line.items
      .map((item, index) => (item.state === 'failed' && index < lastDone ? { ...item, state: /** @type {ItemState} */ ('done') } : item))
      .filter((item) => item.state !== 'failed');
    for (const [index, item] of line.items.entries()) {
      if (item.state === 'sent' || item.state === 'durable') {
        item.state = 'waiting';
      }
      if (line.expected !== null && line.first + index >= line.expected && unanswered(item)) {
        item.maybe = false;
      }
    }
    // Lower than all that we have: the server never took ours, so they are free to be counted anew.
    if (line.expected !== null && line.expected < line.first) {
      line.first = line.expected;
      line.settled = Math.min(line.settled, line.first - 1);
    }
    line.expected = null;
    line.rewinding = hasConflict(line);
  }
}

/** @param {Item} item */
function unanswered(item) {
  return item.state !== 'done' && item.state !== 'failed';
}

/** Whether it was sent under this device id and may have been done. @param {Item} item */
function mayBeDone(item) {
  return item.state === 'sent' || item.state === 'durable' || (item.state === 'waiting' && item.maybe === true);
}

/** @param {Line} line */
function hasConflict(line) {
  return line.items.some((item) => item.state === 'conflict');
}

/** @param {Outcome | 'settled'} outcome */
function isConflict(outcome) {
  return outcome !== 'settled' && 'rejected' in outcome && outcome.rejected.code === 'id_conflict';
}
