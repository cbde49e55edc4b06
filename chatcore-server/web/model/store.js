// What a page knows: dialogs, a board, messages on their way, who types. Fed by one client.

/** @import { ChatClient, ClientEvents } from '../client/chatcore-client.js' */
/** @import { CustomerCommand, DeskCommand, Outcome, Participant, StreamEvent } from '../client/frames.js' */
/** @import { Entry } from './dialog.js' */

import { Emitter } from '../client/emitter.js';
import { Board } from './board.js';
import { Dialog, participantKey, sameParticipant } from './dialog.js';
import { Outgoing } from './outgoing.js';

const PAGE = 50;
const TYPING_MS = 5_000;
const HISTORY_RETRY_MS = 2_000;

/**
 * @typedef {{
 *   changed: void,
 *   arrived: { dialog: Dialog, entries: Entry[] },
 *   customer: { name: string, dialog: number | null },
 *   left: { dialog: Dialog, reason: string },
 * }} StoreEvents
 */

/** @extends {Emitter<StoreEvents>} */
export class ChatStore extends Emitter {
  /** @type {Map<number, Dialog>} */
  dialogs = new Map();
  board = new Board();
  outgoing = new Outgoing();
  /** Dialogs whose history is being read. @type {Map<number, Promise<void>>} */
  #loading = new Map();
  /** Dialogs whose history could not be read just now. @type {Set<number>} */
  unreadable = new Set();
  /** @type {Map<number, Map<string, { participant: Participant, until: number }>>} */
  #typing = new Map();
  #due = false;
  #schedule;

  /** @param {ChatClient} client @param {(run: () => void) => void} [schedule] when changes are told, many at a time */
  constructor(client, schedule = soon) {
    super();
    this.client = client;
    this.#schedule = schedule;
    client.on('state', ({ online }) => {
      // What was told of presence holds as long as somebody would tell that it changed.
      if (!online) {
        this.dialogs.forEach((dialog) => (dialog.presence = null));
      }
      this.#changed();
    });
    client.on('welcome', () => this.#retryHistory());
    client.on('reset', (reset) => this.#reset(reset));
    client.on('events', (events) => this.#events(events));
    client.on('cursors', ({ dialog, cursors }) => {
      this.dialogs.get(dialog)?.moved(cursors);
      this.#changed();
    });
    client.on('typing', ({ dialog, participant }) => this.#typed(dialog, participant));
    client.on('presence', ({ dialog, presence }) => {
      const known = this.dialogs.get(dialog);
      if (known) {
        known.presence = presence;
        this.#changed();
      }
    });
    client.on('place', ({ dialog, place }) => {
      const known = this.dialogs.get(dialog);
      if (known) {
        known.place = place;
        this.#changed();
      }
    });
    client.on('left', ({ stream, reason }) => this.#left(stream, reason));
    client.on('pending', (pending) => {
      this.outgoing.pending(pending);
      this.#changed();
    });
    client.on('outcome', (settled) => {
      this.outgoing.outcome(settled, this.#shows);
      this.#changed();
    });
    client.on('refused', (refused) => {
      this.outgoing.refused(refused);
      this.#changed();
    });
  }

  /** @returns {Participant | null} */
  get me() {
    return this.client.welcome?.who ?? null;
  }

  /** @param {CustomerCommand} command @param {string} customer @returns {Promise<Outcome | 'settled'>} */
  toCustomer(customer, command) {
    return this.client.send({ customer }, { customer: command }).outcome;
  }

  /** @param {DeskCommand} command @returns {Promise<Outcome | 'settled'>} */
  toDesk(command) {
    return this.client.send({ desk: this.client.welcome?.desk ?? 'main' }, { desk: command }).outcome;
  }

  /** Reads the page before what is loaded; one at a time per dialog. @param {Dialog} dialog @returns {Promise<void>} */
  older(dialog) {
    const under = this.#loading.get(dialog.id);
    if (under || dialog.complete) {
      return under ?? Promise.resolve();
    }
    const before = dialog.loadedAfter + 1;
    const reading = this.client
      .get(`/api/dialogs/${dialog.id}/events?before=${before}&limit=${PAGE}`)
      .then((page) => {
        // A reset meanwhile began anew: then this page is of another time.
        if (dialog.loadedAfter + 1 === before) {
          dialog.older(page.events, reachedBy(page, before));
          this.outgoing.reread(this.#shows);
        }
        this.unreadable.delete(dialog.id);
      })
      .catch(() => {
        this.unreadable.add(dialog.id);
        setTimeout(() => this.#retryHistory(), HISTORY_RETRY_MS);
      })
      .finally(() => {
        this.#loading.delete(dialog.id);
        this.#changed();
      });
    this.#loading.set(dialog.id, reading);
    return reading;
  }

  /** @param {number} dialog */
  isLoading(dialog) {
    return this.#loading.has(dialog);
  }

  /** Who types in a dialog now, but oneself. @param {number} dialog @returns {Participant[]} */
  typing(dialog) {
    const now = Date.now();
    const me = this.me;
    return [...(this.#typing.get(dialog)?.values() ?? [])]
      .filter(({ participant, until }) => until > now && !(me && sameParticipant(me, participant)))
      .map(({ participant }) => participant);
  }

  /** Tells the listeners soon, once for all that happens until then. */
  #changed() {
    if (!this.#due) {
      this.#due = true;
      this.#schedule(() => {
        this.#due = false;
        this.emit('changed', undefined);
      });
    }
  }

  #shows = (/** @type {number} */ dialog, /** @type {number} */ seq) => {
    const known = this.dialogs.get(dialog);
    return known !== undefined && known.entry(seq) !== null;
  };

  #retryHistory() {
    for (const id of [...this.unreadable]) {
      this.unreadable.delete(id);
      const dialog = this.dialogs.get(id);
      if (dialog) {
        this.older(dialog);
      }
    }
  }

  /** @param {ClientEvents['reset']} reset */
  #reset({ stream, position, board, dialog: head }) {
    if (stream.startsWith('board/')) {
      this.board.reset(board ?? null);
    } else if (stream.startsWith('dialog/')) {
      const dialog = this.#dialog(stream);
      dialog.reset(position.seq, head ?? null);
      this.#loading.delete(dialog.id);
      this.older(dialog);
    } else {
      this.emit('customer', { name: 'reset', dialog: null });
    }
    this.#changed();
  }

  /** @param {ClientEvents['events']} told */
  #events({ stream, events, position }) {
    if (stream.startsWith('board/')) {
      this.board.live(events);
    } else if (stream.startsWith('dialog/')) {
      this.#dialogEvents(this.#dialog(stream), events, position);
    } else {
      for (const { event } of events) {
        if ('customer' in event) {
          const [name, fields] = Object.entries(event.customer)[0];
          this.emit('customer', { name, dialog: fields.dialog ?? null });
        }
      }
    }
    this.#changed();
  }

  /** @param {Dialog} dialog @param {StreamEvent[]} events @param {number} position */
  #dialogEvents(dialog, events, position) {
    const before = dialog.position;
    dialog.live(events, position);
    if (this.me) {
      this.outgoing.shown(dialog.id, events, this.me);
    }
    const entries = events.filter(({ seq }) => seq > before).flatMap(({ seq }) => dialog.entry(seq) ?? []);
    for (const { author } of entries) {
      this.#typing.get(dialog.id)?.delete(participantKey(author));
    }
    if (entries.length > 0) {
      this.emit('arrived', { dialog, entries });
    }
  }

  /** @param {number} dialog @param {Participant} participant */
  #typed(dialog, participant) {
    const typing = this.#typing.get(dialog) ?? new Map();
    this.#typing.set(dialog, typing.set(participantKey(participant), { participant, until: Date.now() + TYPING_MS }));
    setTimeout(() => this.#changed(), TYPING_MS + 50);
    this.#changed();
  }

  /** @param {string} stream @param {string} reason */
  #left(stream, reason) {
    const dialog = this.dialogs.get(Number(stream.split('/')[1]));
    if (dialog && stream.startsWith('dialog/')) {
      dialog.presence = null;
      this.emit('left', { dialog, reason });
    }
    this.#changed();
  }

  /** @param {string} stream */
  #dialog(stream) {
    const id = Number(stream.split('/')[1]);
    const dialog = this.dialogs.get(id) ?? new Dialog(id);
    this.dialogs.set(id, dialog);
    return dialog;
  }
}

/** How far down a page reaches: everything above this seq is known now. @param {any} page @param {number} before */
function reachedBy({ events, after }, before) {
  if (typeof after?.seq === 'number') {
    return after.seq;
  }
  return events.length === 0 ? 0 : Math.min(events[0].seq, before) - 1;
}

/** With the next frame, or soon in a page that nobody sees. @param {() => void} run */
function soon(run) {
  if (document.hidden) {
    setTimeout(run, 50);
  } else {
    requestAnimationFrame(run);
  }
}
