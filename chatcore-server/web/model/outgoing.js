// Messages on their way: from the moment of sending until the dialog itself shows them. Pure.

/** @import { Outcome, Participant, StreamEvent } from '../client/frames.js' */
/** @import { Pending } from '../client/chatcore-client.js' */
/** @import { Said } from './dialog.js' */

import { sameParticipant } from './dialog.js';

/** @typedef {Pending & { dialog: number, body: Said, state: 'sending' | 'accepted' | 'failed', seq: number | null, code: string | null, detail: Record<string, unknown> }} Sending */

/** @param {Pending['command']} command @returns {{ dialog: number, body: Said } | null} */
function messageOf(command) {
  if (!('customer' in command && 'message' in command.customer)) {
    return null;
  }
  const { dialog, body } = command.customer.message;
  return body === 'erased' ? null : { dialog, body };
}

export class Outgoing {
  /** @type {Map<string, Sending>} */
  #byId = new Map();
  /** Those that the dialog showed before their outcome came. @type {Set<string>} */
  #shown = new Set();
  version = 0;

  /** What is on its way or failed in a dialog, oldest first. @param {number} dialog @returns {Sending[]} */
  of(dialog) {
    return [...this.#byId.values()].filter((sending) => sending.dialog === dialog);
  }

  /** @param {Pending[]} pending the client's list, also after a reload */
  pending(pending) {
    for (const item of pending) {
      const message = messageOf(item.command);
      if (message && !this.#byId.has(item.id) && !this.#shown.has(item.id)) {
        this.#put(item, message, 'sending');
      }
    }
  }

  /** @param {Pending & { outcome: Outcome | 'settled' }} settled @param {(dialog: number, seq: number) => boolean} shows whether the dialog shows that event already */
  outcome({ outcome, ...item }, shows) {
    const message = messageOf(item.command);
    const wasShown = this.#shown.delete(item.id);
    if (!message) {
      return;
    }
    if (outcome !== 'settled' && 'rejected' in outcome) {
      const { code, ...detail } = outcome.rejected;
      this.#put(item, message, 'failed', { code, detail });
      return;
    }
    const seq = outcome === 'settled' ? null : outcome.accepted.seq;
    if (wasShown || seq === null || shows(message.dialog, seq)) {
      this.#drop(item.id);
    } else {
      this.#put(item, message, 'accepted', { seq });
    }
  }

  /** @param {Pending & { error: { code: string } }} refused */
  refused({ error, ...item }) {
    const message = messageOf(item.command);
    if (message) {
      this.#put(item, message, 'failed', { code: error.code });
    }
  }

  /** The dialog shows these now. @param {number} dialog @param {StreamEvent[]} events @param {Participant} me */
  shown(dialog, events, me) {
    for (const { seq, event } of events) {
      const told = 'dialog' in event && typeof event.dialog === 'object' && 'message' in event.dialog ? event.dialog.message : null;
      if (!told || !sameParticipant(told.author, me)) {
        continue;
      }
      const mine = this.of(dialog);
      const found =
        mine.find((sending) => sending.seq === seq) ??
        mine.find(({ state, body }) => state === 'sending' && told.body !== 'erased' && same(body, told.body));
      if (found) {
        this.#drop(found.id);
        if (found.state === 'sending') {
          this.#shown.add(found.id);
        }
      }
    }
  }

  /** History was read again: what it shows need not be kept. @param {(dialog: number, seq: number) => boolean} shows */
  reread(shows) {
    for (const { id, dialog, seq } of [...this.#byId.values()]) {
      if (seq !== null && shows(dialog, seq)) {
        this.#drop(id);
      }
    }
  }

  /** Forgets a failed one, to discard it or to send it anew. @param {string} id */
  discard(id) {
    this.#drop(id);
  }

  /** @param {Pending} item @param {{ dialog: number, body: Said }} message @param {Sending['state']} state @param {Partial<Sending>} [more] */
  #put(item, { dialog, body }, state, more = {}) {
    this.#byId.set(item.id, { ...item, dialog, body, state, seq: null, code: null, detail: {}, ...more });
    this.version += 1;
  }

  /** @param {string} id */
  #drop(id) {
    this.#byId.delete(id);
    this.version += 1;
  }
}

/** The server may normalise text, so blanks do not count. @param {object} a @param {object} b */
function same(a, b) {
  const plain = (/** @type {object} */ body) => JSON.stringify(body).replace(/\\[nrt]|\s+/gu, '');
  return plain(a) === plain(b);
}
