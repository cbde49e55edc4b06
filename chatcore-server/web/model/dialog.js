// A dialog as its events tell it. Pure: folds what the client heard and what history brought.

/** @import { Assurance, Content, CursorMove, CustomerPresence, DialogBrief, DialogEvent, Participant, Phase, PlaceInLine, StreamEvent } from '../client/frames.js' */

import { Notes } from './notes.js';

/** What somebody said, as long as it is there. @typedef {Exclude<Content, 'erased'>} Said */

/**
 * One thing to show: a message, a note, or a line that says what happened.
 *
 * @typedef {{
 *   seq: number, at: number,
 *   kind: 'message' | 'note' | 'system' | 'emergency' | 'line',
 *   author: Participant, body: Said | null, replyTo: number | null,
 *   erased: boolean, edited: boolean, deletedBy: Participant | null, undelivered: string | null,
 *   line: { name: string, [detail: string]: any } | null,
 *   assurance: Assurance | null,
 *   version: number,
 * }} Entry
 * @typedef {{ body?: Content, deletedBy?: Participant, undelivered?: string, assurance?: Assurance }} Amendment
 */

/** @param {Participant} who a name for maps, and for comparing */
export function participantKey(who) {
  return typeof who === 'string' ? who : Object.entries(who)[0].join(':');
}

/** @param {Participant} a @param {Participant} b */
export function sameParticipant(a, b) {
  return participantKey(a) === participantKey(b);
}

/** The one key and the value of an externally tagged event. @param {DialogEvent} event @returns {[string, any]} */
export function nameOf(event) {
  return typeof event === 'string' ? [event, {}] : Object.entries(event)[0];
}

export class Dialog {
  /** @type {Map<number, Entry>} */
  #bySeq = new Map();
  /** What later events say of messages that may not be loaded yet. @type {Map<number, Amendment>} */
  #amendments = new Map();
  /** Facts found so far only in older pages, with the seq that they are from. @type {Map<string, number>} */
  #factsFrom = new Map();

  /** Newest last. @type {Entry[]} */
  entries = [];
  /** Everything in `(loadedAfter, position]` is known. */
  loadedAfter = 0;
  position = 0;
  customer = '';
  /** @type {Phase} */
  phase = 'bot';
  /** @type {string | null} */
  owner = null;
  epoch = 0;
  /** @type {string | null} */
  queue = null;
  /** @type {string | null} */
  desk = null;
  channel = '';
  /** @type {string | null} */
  topic = null;
  /** @type {string[]} */
  tags = [];
  /** @type {string | null} */
  outcome = null;
  /** @type {number | null} */
  score = null;
  /** How surely the customer is who they say, by what they wrote last. @type {Assurance | null} */
  assurance = null;
  /** Whether the customer is here; null while nobody knows. @type {CustomerPresence | null} */
  presence = null;
  /** Where it is in the line, while it waits and that is known. @type {PlaceInLine | null} */
  place = null;
  /** When it began, waits since, ended. @type {number | null} */
  openedAt = null;
  /** @type {number | null} */
  waitingSince = null;
  /** @type {number | null} */
  closedAt = null;
  /** @type {Map<string, { participant: Participant, delivered: number, read: number }>} */
  cursors = new Map();
  /** What staff keep about its customer; empty for the customer. */
  notes = new Notes();
  /** Grows with each change. */
  version = 0;

  /** @param {number} id */
  constructor(id) {
    this.id = id;
  }

  /** Whether all older events are loaded. */
  get complete() {
    return this.loadedAfter === 0;
  }

  /** @param {number} seq */
  entry(seq) {
    return this.#bySeq.get(seq) ?? null;
  }

  /** Begins anew after `position`. @param {number} position @param {DialogBrief | null} [head] */
  reset(position, head = null) {
    this.#bySeq.clear();
    this.#amendments.clear();
    this.#factsFrom.clear();
    this.entries = [];
    this.place = null;
    this.position = position;
    this.loadedAfter = position;
    if (head) {
      this.customer = head.customer;
      this.phase = head.phase;
      this.owner = head.owner ?? null;
      this.epoch = head.epoch;
      this.queue = head.queue?.queue ?? null;
      this.desk = head.desk ?? null;
      this.waitingSince = head.since ?? null;
      this.channel = head.channel ?? this.channel;
      this.topic = head.topic ?? null;
      this.tags = head.tags ?? [];
      this.score = head.rating ?? null;
      this.assurance = head.assurance ?? null;
      // What older events say of these is older than the head.
      ['topic', 'tags', 'since', 'rated', 'assurance'].forEach((fact) => this.#factsFrom.set(fact, position + 1));
    }
    this.version += 1;
  }

  /** New events, up to `position`. @param {StreamEvent[]} events @param {number} position */
  live(events, position) {
    for (const event of events) {
      if ('dialog' in event.event && event.seq > this.position) {
        this.#state(event, event.event.dialog);
        this.#fact(event, event.event.dialog);
        this.#show(event, event.event.dialog);
      }
    }
    this.position = Math.max(this.position, position);
    this.version += 1;
  }

  /** A page of older events: all that is visible in `(after, …]` up to what was loaded. @param {StreamEvent[]} events @param {number} after */
  older(events, after) {
    // Newest first, so that amendments are known before what they amend.
    for (const event of [...events].reverse()) {
      if ('dialog' in event.event && event.seq <= this.loadedAfter) {
        this.#fact(event, event.event.dialog);
        this.#show(event, event.event.dialog);
      }
    }
    this.loadedAfter = Math.min(this.loadedAfter, after);
    this.version += 1;
  }

  /** @param {CursorMove[]} cursors the highest wins */
  moved(cursors) {
    for (const { participant, delivered, read } of cursors) {
      const key = participantKey(participant);
      const had = this.cursors.get(key) ?? { delivered: 0, read: 0 };
      this.cursors.set(key, {
        participant,
        delivered: Math.max(had.delivered, delivered),
        read: Math.max(had.read, read),
      });
    }
    this.version += 1;
  }

  /** How far the message got with those for whom it is meant. @param {Entry} entry @returns {'accepted' | 'delivered' | 'read'} */
  tick({ seq, author }) {
    const others = [...this.cursors.values()].filter(({ participant }) => faces(author, participant));
    if (others.some(({ read }) => read >= seq)) {
      return 'read';
    }
    return others.some(({ delivered }) => delivered >= seq) ? 'delivered' : 'accepted';
  }

  /** Messages of others that this participant has not read. @param {Participant} me */
  unread(me) {
    const read = this.cursors.get(participantKey(me))?.read ?? 0;
    let count = 0;
    for (let index = this.entries.length - 1; index >= 0 && this.entries[index].seq > read; index -= 1) {
      const { kind, author, deletedBy } = this.entries[index];
      count += kind !== 'line' && kind !== 'note' && !deletedBy && !sameSide(author, me) ? 1 : 0;
    }
    return count;
  }

  /** The newest message that both sides see. */
  get last() {
    return this.entries.findLast(({ kind, deletedBy }) => kind !== 'line' && kind !== 'note' && !deletedBy) ?? null;
  }

  /** Who owns it, what phase: only ever told by what is new. @param {StreamEvent} at @param {DialogEvent} event */
  #state({ at }, event) {
    const [name, fields] = nameOf(event);
    const phase = /** @type {Record<string, Phase>} */ ({
      waiting: 'waiting',
      assigned: 'assigned',
      held: 'on_hold',
      resumed: 'assigned',
      wrap_up: 'wrap_up',
      closed: 'closed',
      reopened: 'bot',
    })[name];
    this.phase = phase ?? this.phase;
    // Another wait has another place.
    this.place = phase ? null : this.place;
    this.epoch = fields.epoch ?? this.epoch;
    if (name === 'waiting' || name === 'assigned') {
      this.queue = fields.queue.queue;
      this.desk = fields.queue.desk;
    }
    if (name === 'assigned') {
      this.owner = fields.operator;
    } else if (name === 'waiting' || name === 'closed' || name === 'reopened') {
      this.owner = null;
    }
    this.waitingSince = name === 'waiting' ? fields.since : phase ? null : this.waitingSince;
    this.closedAt = name === 'closed' ? at : phase ? null : this.closedAt;
  }

  /** What the newest event that says it says, wherever it was found. @param {StreamEvent} at @param {DialogEvent} event */
  #fact({ seq, at }, event) {
    const [name, fields] = nameOf(event);
    /** @param {string} key @param {() => void} set */
    const newest = (key, set) => {
      if (seq >= (this.#factsFrom.get(key) ?? 0)) {
        this.#factsFrom.set(key, seq);
        set();
      }
    };
    if (fields.assurance) {
      newest('assurance', () => (this.assurance = fields.assurance));
    }
    if (name === 'opened') {
      this.openedAt = at;
      this.channel = fields.channel;
      this.customer = fields.customer;
      newest('topic', () => (this.topic = fields.topic));
    } else if (name === 'topic_set') {
      newest('topic', () => (this.topic = fields.topic));
    } else if (name === 'tagged') {
      newest('tags', () => (this.tags = fields.tags));
    } else if (name === 'closed') {
      newest('ended', () => (this.outcome = fields.outcome));
      this.closedAt ??= this.phase === 'closed' ? at : null;
    } else if (name === 'reopened') {
      newest('ended', () => (this.outcome = null));
      newest('rated', () => (this.score = null));
    } else if (name === 'rated') {
      newest('rated', () => (this.score = fields.score));
    } else if (name === 'waiting' && this.phase === 'waiting') {
      newest('since', () => (this.waitingSince = fields.since));
    }
  }

  /** @param {StreamEvent} event @param {DialogEvent} what */
  #show(event, what) {
    const [name, fields] = nameOf(what);
    if (name === 'edited') {
      this.#amend(fields.message, { body: fields.body, ...(fields.assurance && { assurance: fields.assurance }) });
      return;
    }
    if (name === 'deleted') {
      this.#amend(fields.message, { deletedBy: fields.by });
      return;
    }
    if (name === 'undelivered') {
      this.#amend(fields.message, { undelivered: fields.reason });
      return;
    }
    if (name === 'customer_noted') {
      this.notes.came({ note: fields.note, at: event.at, author: fields.author, body: fields.body });
      return;
    }
    if (name === 'customer_note_removed') {
      this.notes.went(fields.note);
      return;
    }
    if (name === 'ruled' || this.#bySeq.has(event.seq)) {
      return;
    }
    const entry = entryOf(event, name, fields);
    this.#bySeq.set(entry.seq, entry);
    this.#apply(entry);
    const last = this.entries.at(-1);
    if (!last || last.seq < entry.seq) {
      this.entries.push(entry);
    } else {
      const index = this.entries.findIndex(({ seq }) => seq > entry.seq);
      this.entries.splice(index, 0, entry);
    }
  }

  /** Seen newest first or last, the newest edit stays. @param {number} seq @param {Amendment} amendment */
  #amend(seq, amendment) {
    const had = this.#amendments.get(seq);
    const entry = this.#bySeq.get(seq);
    this.#amendments.set(seq, entry ? { ...had, ...amendment } : { ...amendment, ...had });
    if (entry) {
      this.#apply(entry);
    }
  }

  /** @param {Entry} entry */
  #apply(entry) {
    const amendment = this.#amendments.get(entry.seq);
    if (amendment) {
      if (amendment.body) {
        entry.body = saidOf(amendment.body);
        entry.erased = amendment.body === 'erased';
      }
      entry.edited = entry.edited || amendment.body !== undefined;
      entry.assurance = amendment.assurance ?? entry.assurance;
      entry.deletedBy = amendment.deletedBy ?? null;
      entry.undelivered = amendment.undelivered ?? null;
      entry.version += 1;
    }
  }
}

/** @param {StreamEvent} event @param {string} name @param {any} fields @returns {Entry} */
function entryOf({ seq, at }, name, fields) {
  const shown = name === 'message' || name === 'note' || name === 'system' || name === 'emergency';
  return {
    seq,
    at,
    kind: /** @type {Entry['kind']} */ (shown ? name : 'line'),
    author: fields.author ?? fields.by ?? 'system',
    body: shown ? saidOf(fields.body) : null,
    replyTo: fields.reply_to ?? null,
    erased: shown && fields.body === 'erased',
    edited: false,
    deletedBy: null,
    undelivered: null,
    line: shown ? null : { name, ...fields },
    assurance: fields.assurance ?? null,
    version: 0,
  };
}

/** @param {Content} body @returns {Said | null} null when its text is gone for good */
function saidOf(body) {
  return body === 'erased' ? null : body;
}

/** Whether `reader` is on the other side of what `author` wrote. @param {Participant} author @param {Participant} reader */
function faces(author, reader) {
  return typeof reader !== 'string' && !sameSide(author, reader);
}

/** Staff, bot and the bank's systems speak for the bank. @param {Participant} a @param {Participant} b */
function sameSide(a, b) {
  const isCustomer = (/** @type {Participant} */ who) => typeof who !== 'string' && 'customer' in who;
  return isCustomer(a) === isCustomer(b);
}
