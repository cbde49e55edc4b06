// A client of chatcore: streams that join without holes, commands that are done once.
//
// It keeps no history: it tells what happens, and the pages fold that into what they show.

/** @import { Command, CursorMove, CustomerPresence, Outcome, Participant, PlaceInLine, ServerFrame, StreamEvent, StreamReset, Target, Welcome, Wrong } from './frames.js' */
/** @import { Clock, Phase } from './connection.js' */
/** @import { Open } from './transport.js' */
/** @import { Answer, Item } from './outbox.js' */
/** @import { Range } from './ranges.js' */
/** @import { Store } from './storage.js' */

import { Connection, pageClock } from './connection.js';
import { Device } from './device.js';
import { Emitter } from './emitter.js';
import { Outbox, targetKey } from './outbox.js';
import { Ranges } from './ranges.js';
import { Signals } from './signals.js';
import { pageStore, readJson } from './storage.js';
import { openFetch, openWebSocket } from './transport.js';

const OUTBOX_KEY = 'chatcore.outbox';
const STALL_MS = 15_000;
const RETRY_MS = 1_000;
/** A new device id is taken at most this often. */
const RENEW_MIN_MS = 2_000;
/** An outbox that nobody touched for so long belongs to a tab that will not come back. */
const ORPHAN_MS = 30 * 24 * 3_600_000;

/**
 * @typedef {{ phase: Phase, online: boolean, asOf: number, retryAt: number | null, ended: { code: number, text: string } | null }} State
 * @typedef {{ id: string, target: Target, command: Command, at: number }} Pending
 * @typedef {{
 *   state: State,
 *   welcome: Welcome,
 *   reset: StreamReset,
 *   events: { stream: string, events: StreamEvent[], position: number },
 *   cursors: { dialog: number, cursors: CursorMove[] },
 *   typing: { dialog: number, participant: Participant },
 *   presence: { dialog: number, presence: CustomerPresence },
 *   place: { dialog: number, place: PlaceInLine },
 *   left: { stream: string, reason: string },
 *   pending: Pending[],
 *   outcome: Pending & { outcome: Outcome | 'settled' },
 *   refused: Pending & { error: Wrong },
 *   error: Wrong,
 * }} ClientEvents
 * @typedef {{
 *   base: string,
 *   token: (asked: { fresh: boolean }) => Promise<string>,
 *   locale?: string,
 *   openers?: Open[],
 *   local?: Store,
 *   device?: Device,
 *   clock?: Clock,
 *   random?: () => number,
 *   http?: typeof fetch,
 * }} ClientOptions
 */

/** What the server did not take or answer, with its stable code. */
export class ChatError extends Error {
  /** @param {string} code @param {string} text */
  constructor(code, text) {
    super(text);
    this.name = 'ChatError';
    this.code = code;
  }
}

/** @extends {Emitter<ClientEvents>} */
export class ChatClient extends Emitter {
  #base;
  #token;
  #locale;
  #local;
  #device;
  #clock;
  #http;
  #connection;
  #ranges = new Ranges();
  #outbox = new Outbox();
  /** Whose outbox it is, once known: `who/device`. */
  #outboxKey = '';
  #deviceId = '';
  #lastToken = '';
  /** @type {Map<string, (result: Outcome | 'settled' | ChatError) => void>} */
  #waiting = new Map();
  /** @type {Map<string, number>} */
  #pausedUntil = new Map();
  #signals;
  /** Streams that were asked for, beside what the server follows by itself. @type {Set<string>} */
  #asked = new Set();
  #answeredAt = 0;
  /** How far the server's clock is ahead of ours. */
  #serverAhead = 0;
  #renewedAt = -Infinity;
  /** @type {Promise<void> | null} */
  #moving = null;

  /** @param {ClientOptions} options */
  constructor(options) {
    super();
    this.#base = options.base;
    this.#token = options.token;
    this.#locale = options.locale ?? 'en';
    this.#local = options.local ?? pageStore('localStorage');
    this.#device = options.device ?? new Device(pageStore('sessionStorage'));
    this.#clock = options.clock ?? pageClock;
    this.#http = options.http ?? ((...args) => fetch(...args));
    this.#connection = new Connection({
      base: this.#base,
      openers: options.openers ?? [openWebSocket, openFetch],
      clock: this.#clock,
      random: options.random,
      source: { token: (asked) => this.#newToken(asked), hello: (token) => this.#hello(token) },
      listener: {
        up: (welcome) => this.#up(welcome),
        down: () => this.#down(),
        frame: (frame) => this.#frame(frame),
        state: () => this.emit('state', this.state),
      },
    });
    this.#signals = new Signals((frame) => this.#connection.send(frame), () => this.#connection.online, this.#clock);
  }

  /** @returns {State} */
  get state() {
    const { phase, online, heardAt, retryAt, ended } = this.#connection;
    return { phase, online, asOf: heardAt, retryAt, ended };
  }

  /** Who this is and what the session may do; null before the first welcome. */
  get welcome() {
    return this.#connection.welcome;
  }

  /** Commands without an outcome, in order. @returns {Pending[]} */
  get pending() {
    return this.#outbox.pending().map(({ target, item }) => pendingOf(target, item));
  }

  start() {
    globalThis.addEventListener?.('online', this.#networkUp);
    globalThis.addEventListener?.('offline', this.#networkDown);
    this.#connection.start();
  }

  stop() {
    globalThis.removeEventListener?.('online', this.#networkUp);
    globalThis.removeEventListener?.('offline', this.#networkDown);
    this.#connection.stop();
    this.#device.release();
  }

  /** Tries at once instead of waiting. */
  retryNow() {
    this.#connection.hurry();
  }

  /**
   * Sends a command, now or when there is a connection again, once. It is kept over reloads until
   * its outcome is known.
   *
   * @param {Target} target
   * @param {Command} command
   * @returns {{ id: string, outcome: Promise<Outcome | 'settled'> }} `outcome` fails with
   *   {@link ChatError} when the server would not take it
   */
  send(target, command) {
    if (!this.welcome) {
      const error = new ChatError('not_connected', 'nobody is signed in yet');
      return { id: '', outcome: Promise.reject(error) };
    }
    const id = crypto.randomUUID();
    /** @type {Promise<Outcome | 'settled'>} */
    const outcome = new Promise((resolve, reject) => {
      this.#waiting.set(id, (result) => (result instanceof ChatError ? reject(result) : resolve(result)));
    });
    // Who does not look at the outcome hears of a refusal by the event alone.
    outcome.catch(() => {});
    this.#outbox.add(target, command, id, this.#clock.now());
    this.#saved();
    this.#flush();
    return { id, outcome };
  }

  /** Follows one more stream; it begins with `reset`. @param {string} stream */
  follow(stream) {
    this.#asked.add(stream);
    if (!this.#ranges.position(stream)) {
      this.#connection.send({ follow: { stream, after: null } });
    }
  }

  /** @param {string} stream */
  unfollow(stream) {
    if (this.#asked.delete(stream)) {
      this.#ranges.forget(stream);
      this.#connection.send({ unfollow: { stream } });
    }
  }

  /** Says that somebody is typing. @param {number} dialog */
  typing(dialog) {
    this.#signals.typing(dialog);
  }

  /** How far this person received and read; moves only forward. @param {Target} target @param {number} dialog @param {number} delivered @param {number} read */
  cursor(target, dialog, delivered, read) {
    this.#signals.cursor(target, dialog, delivered, read);
  }

  /**
   * Reads from the server over HTTP.
   *
   * @param {string} path
   * @returns {Promise<any>}
   */
  async get(path) {
    const ask = () =>
      this.#http(new URL(path, this.#base), { headers: { authorization: `Bearer ${this.#lastToken}` }, cache: 'no-store' });
    let answer = await ask();
    if (answer.status === 401) {
      await this.#newToken({ fresh: true });
      answer = await ask();
    }
    const body = await answer.json().catch(() => null);
    if (!answer.ok) {
      throw new ChatError(body?.error?.code ?? 'unavailable', body?.error?.text ?? `status ${answer.status}`);
    }
    return body;
  }

  #networkUp = () => this.#connection.hurry();
  #networkDown = () => this.#connection.probe();

  /** @param {{ fresh: boolean }} asked */
  async #newToken(asked) {
    this.#lastToken = await this.#token(asked);
    return this.#lastToken;
  }

  /** @param {string} token */
  async #hello(token) {
    await this.#moving;
    this.#deviceId = await this.#device.id(this.#serverTime());
    return { token, device: this.#deviceId, locale: this.#locale, resume: this.#ranges.resume() };
  }

  /** @param {Welcome} welcome */
  #up(welcome) {
    this.#serverAhead = welcome.now - this.#clock.now();
    const key = `${OUTBOX_KEY}/${whoKey(welcome.who)}/`;
    if (this.#outboxKey !== key + this.#deviceId) {
      this.#outboxKey = key + this.#deviceId;
      this.#outbox = new Outbox(readJson(this.#local, this.#outboxKey)?.outbox ?? null);
      this.#adopt(key);
    }
    this.emit('welcome', welcome);
    this.emit('pending', this.pending);
    for (const stream of this.#asked) {
      if (!this.#ranges.position(stream)) {
        this.#connection.send({ follow: { stream, after: null } });
      }
    }
    this.#pausedUntil.clear();
    this.#signals.tellAll();
    this.#flush();
  }

  #down() {
    this.#outbox.disconnected();
    this.#saved();
  }

  /** Takes over what a closed tab of this person left unsent. @param {string} prefix */
  #adopt(prefix) {
    if (this.#moving || this.#outbox.pending().length > 0) {
      return;
    }
    const now = this.#clock.now();
    const left = [];
    for (const key of this.#local.keys().filter((other) => other.startsWith(prefix) && other !== this.#outboxKey)) {
      const kept = readJson(this.#local, key);
      if (kept?.outbox?.lines?.some((/** @type {any} */ line) => line.items.length > 0)) {
        left.push(key);
      } else if (now - (kept?.touched ?? 0) > ORPHAN_MS) {
        this.#local.removeItem(key);
      }
    }
    if (left.length > 0) {
      this.#moving = this.#moveToOneOf(left, prefix.length).finally(() => {
        this.#moving = null;
        this.#flush();
      });
    }
  }

  /** @param {string[]} keys @param {number} prefix its length */
  async #moveToOneOf(keys, prefix) {
    for (const key of keys) {
      if (await this.#device.adopt(key.slice(prefix))) {
        // Nothing was sent while moving, so what was added meanwhile moves along.
        const added = this.#outbox.pending();
        this.#local.removeItem(this.#outboxKey);
        this.#outboxKey = key;
        this.#outbox = new Outbox(readJson(this.#local, key)?.outbox ?? null);
        added.forEach(({ target, item }) => this.#outbox.add(target, item.command, item.id, item.at));
        this.#saved();
        this.#connection.restart();
        return;
      }
    }
  }

  async #renewDevice() {
    if (this.#moving) {
      return;
    }
    const old = this.#outboxKey;
    const prefix = old.slice(0, old.length - this.#deviceId.length);
    const wait = Math.max(0, this.#renewedAt + RENEW_MIN_MS - this.#clock.now());
    this.#moving = this.#pause(wait).then(() => this.#device.renew(this.#serverTime())).then((id) => {
      this.#renewedAt = this.#clock.now();
      this.#outbox.restart();
      this.#deviceId = id;
      this.#outboxKey = prefix + id;
      this.#saved();
      this.#local.removeItem(old);
    });
    await this.#moving;
    this.#moving = null;
    this.#connection.restart();
  }

  /** @param {ServerFrame} frame */
  #frame(frame) {
    if ('range' in frame) {
      this.#range(frame.range);
    } else if ('reset' in frame) {
      this.#ranges.reset(frame.reset);
      this.emit('reset', frame.reset);
    } else if ('cursors' in frame) {
      this.emit('cursors', frame.cursors);
    } else if ('typing' in frame) {
      this.emit('typing', frame.typing);
    } else if ('presence' in frame) {
      this.emit('presence', frame.presence);
    } else if ('place' in frame) {
      this.emit('place', frame.place);
    } else if ('left' in frame) {
      this.#ranges.forget(frame.left.stream);
      this.#asked.delete(frame.left.stream);
      this.emit('left', frame.left);
    } else if ('durable' in frame) {
      this.#outbox.durable(frame.durable.target, frame.durable.n);
      this.#flush();
    } else if ('reply' in frame) {
      this.#answered(() => this.#reply(frame.reply));
    } else if ('error' in frame) {
      this.#answered(() => this.#error(frame.error));
    }
  }

  /** @param {Range} range */
  #range(range) {
    const verdict = this.#ranges.accept(range);
    if (verdict === 'broken') {
      this.#connection.restart();
    } else if (verdict === 'apply') {
      this.emit('events', { stream: range.stream, events: range.events, position: range.upto.seq });
    }
  }

  /** @param {() => void} handle */
  #answered(handle) {
    this.#answeredAt = this.#clock.now();
    handle();
    this.#saved();
    if (this.#outbox.conflicted()) {
      this.#renewDevice();
    } else {
      this.#flush();
    }
  }

  /** @param {Answer} frame */
  #reply(frame) {
    const settled = this.#outbox.reply(frame);
    if (settled) {
      const { target, item, outcome } = settled;
      this.#finish(item.id, outcome);
      this.emit('outcome', { ...pendingOf(target, item), outcome });
    }
    for (const settle of this.#outbox.settle()) {
      this.#connection.send({ settle });
    }
  }

  /** The server's time, as far as it is known: device ids are compared by when they were made. */
  #serverTime() {
    return Math.round(this.#clock.now() + this.#serverAhead);
  }

  /** @param {number} wait @returns {Promise<void>} */
  #pause(wait) {
    return wait > 0 ? new Promise((done) => this.#clock.setTimeout(() => done(), wait)) : Promise.resolve();
  }

  /** @param {Wrong} error */
  #error(error) {
    const refused = this.#outbox.refused(error);
    if (!refused) {
      this.emit('error', error);
      return;
    }
    if (refused.again) {
      const wait = error.retry_after_ms ?? RETRY_MS;
      this.#pausedUntil.set(targetKey(refused.target), this.#clock.now() + wait);
      this.#clock.setTimeout(() => this.#flush(), wait);
      return;
    }
    this.#finish(refused.item.id, new ChatError(error.code, error.text));
    this.emit('refused', { ...pendingOf(refused.target, refused.item), error });
  }

  /** @param {string} id @param {Outcome | 'settled' | ChatError} result */
  #finish(id, result) {
    this.#waiting.get(id)?.(result);
    this.#waiting.delete(id);
  }

  #saved() {
    if (this.#outboxKey) {
      this.#local.setItem(this.#outboxKey, JSON.stringify({ touched: this.#clock.now(), outbox: this.#outbox.save() }));
    }
    this.emit('pending', this.pending);
  }

  #flush() {
    const welcome = this.welcome;
    if (!welcome || !this.#connection.online || this.#moving) {
      return;
    }
    const now = this.#clock.now();
    const frames = this.#outbox.take(welcome.window, (target) => (this.#pausedUntil.get(targetKey(target)) ?? 0) > now);
    if (frames.length > 0) {
      // Kept first: what may have been sent must never be taken for new.
      this.#saved();
    }
    for (const send of frames) {
      this.#connection.send({ send });
    }
    if (frames.length > 0) {
      this.#answeredAt = now;
      this.#clock.setTimeout(() => this.#checkStall(), STALL_MS);
    }
  }

  /** Outcomes are best effort: what stays unanswered is asked for again. */
  #checkStall() {
    if (!this.#connection.online || !this.#outbox.awaiting()) {
      return;
    }
    if (this.#clock.now() - this.#answeredAt >= STALL_MS) {
      this.#outbox.disconnected();
      this.#flush();
    } else {
      this.#clock.setTimeout(() => this.#checkStall(), STALL_MS);
    }
  }
}

/** @param {Participant} who */
function whoKey(who) {
  return typeof who === 'string' ? who : Object.entries(who)[0].join(':');
}

/** @param {Target} target @param {Item} item @returns {Pending} */
function pendingOf(target, { id, command, at }) {
  return { id, target, command, at };
}
