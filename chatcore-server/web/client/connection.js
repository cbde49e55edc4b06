// Keeps one connection up: hello, heartbeats, a watchdog on received data, jittered reconnects.

/** @import { ClientFrame, Hello, ServerFrame, Welcome } from './frames.js' */
/** @import { Open, Transport } from './transport.js' */

import { comesBack, needsToken, waitMs } from './backoff.js';

/**
 * @typedef {{ now: () => number, setTimeout: (run: () => void, ms: number) => any, clearTimeout: (timer: any) => void }} Clock
 * @typedef {{ token: (asked: { fresh: boolean }) => Promise<string>, hello: (token: string) => Promise<Hello> }} Source
 * @typedef {{ up: (welcome: Welcome) => void, down: () => void, frame: (frame: ServerFrame) => void, state: () => void }} Listener
 * @typedef {'idle' | 'connecting' | 'online' | 'waiting' | 'stopped'} Phase
 */

/** @type {Clock} */
export const pageClock = {
  now: () => Date.now(),
  setTimeout: (run, ms) => setTimeout(run, ms),
  clearTimeout: (timer) => clearTimeout(timer),
};

const WELCOME_MS = 10_000;
const PROBE_MS = 3_000;
/** A connection that lived this long was a good one: the next wait is short again. */
const STABLE_MS = 5_000;
/** WebSocket is taken for blocked after this many attempts that never opened … */
const BLOCKED_AFTER = 2;
/** … or this many, where it worked before: then it is rather the server that is away. */
const BLOCKED_LATER = 8;

export class Connection {
  #base;
  #openers;
  #source;
  #listener;
  #clock;
  #random;
  /** @type {Transport | null} */
  #transport = null;
  /** @type {Welcome | null} */
  #welcome = null;
  #attempt = 0;
  #unopened = 0;
  #worked = false;
  #freshToken = false;
  #upAt = 0;
  #heard = 0;
  /** Silence counts from here at the earliest. */
  #awakeAt = 0;
  #ticked = 0;
  #timer = /** @type {any} */ (null);
  /** Counts connections, so that what a former one still says is told apart. */
  #life = 0;

  /** @type {Phase} */
  phase = 'idle';
  /** When the next attempt is made, in `waiting`. @type {number | null} */
  retryAt = null;
  /** Why it stopped or what ended the last connection. @type {{ code: number, text: string } | null} */
  ended = null;

  /** @param {{ base: string, openers: Open[], source: Source, listener: Listener, clock?: Clock, random?: () => number }} options */
  constructor({ base, openers, source, listener, clock = pageClock, random = Math.random }) {
    this.#base = base;
    this.#openers = openers;
    this.#source = source;
    this.#listener = listener;
    this.#clock = clock;
    this.#random = random;
  }

  get welcome() {
    return this.#welcome;
  }

  get online() {
    return this.phase === 'online';
  }

  /** When something was last heard from the server, 0 for never. */
  get heardAt() {
    return this.#heard;
  }

  start() {
    if (this.phase === 'idle' || this.phase === 'stopped') {
      this.#attempt = 0;
      this.#connect();
    }
  }

  stop() {
    this.#drop();
    this.#set('idle');
  }

  /** Ends this connection and comes back after `ms`. @param {number} ms */
  restart(ms = 0) {
    this.#drop();
    this.#wait(ms);
  }

  /** The network is said to be back: no reason to wait any longer. */
  hurry() {
    if (this.phase === 'waiting') {
      this.#clock.clearTimeout(this.#timer);
      this.#connect();
    }
  }

  /** The network is said to be gone: find out soon rather than after two beats. */
  probe() {
    if (this.phase !== 'online') {
      return;
    }
    const [life, asked] = [this.#life, this.#clock.now()];
    this.send({ ping: {} });
    this.#clock.setTimeout(() => {
      if (life === this.#life && this.#heard < asked) {
        this.#lost(1006, 'no answer');
      }
    }, PROBE_MS);
  }

  /** Sends if there is a connection; otherwise the frame is dropped. @param {ClientFrame} frame */
  send(frame) {
    this.#transport?.send(frame);
  }

  /** @param {Phase} phase */
  #set(phase) {
    this.phase = phase;
    this.#listener.state();
  }

  async #connect() {
    const life = ++this.#life;
    this.retryAt = null;
    this.#set('connecting');
    try {
      const token = await this.#source.token({ fresh: this.#freshToken });
      const hello = await this.#source.hello(token);
      if (life !== this.#life) {
        return;
      }
      this.#freshToken = false;
      this.#open(life, hello);
    } catch (error) {
      if (life === this.#life) {
        this.#lost(1006, String(error));
      }
    }
  }

  /** @param {number} life @param {Hello} hello */
  #open(life, hello) {
    const past = this.#unopened - (this.#worked ? BLOCKED_LATER : BLOCKED_AFTER);
    const which = past < 0 ? 0 : (past + 1) % this.#openers.length;
    let opened = false;
    this.#timer = this.#clock.setTimeout(() => this.#lost(1006, 'no welcome in time'), WELCOME_MS);
    this.#transport = this.#openers[which](this.#base, hello, {
      opened: () => {
        opened = true;
      },
      frame: (frame) => life === this.#life && this.#take(frame),
      closed: (code, text) => {
        if (!opened) {
          this.#unopened += 1;
        } else if (which === 0) {
          this.#unopened = 0;
          this.#worked = true;
        }
        if (life === this.#life) {
          this.#lost(code, text);
        }
      },
    });
  }

  /** @param {ServerFrame} frame */
  #take(frame) {
    this.#heard = this.#clock.now();
    if ('welcome' in frame) {
      this.#welcomed(frame.welcome);
    } else if ('ping' in frame) {
      this.send({ pong: {} });
    } else if ('reconnect' in frame) {
      this.ended = { code: 4412, text: 'draining' };
      this.restart(frame.reconnect.after_ms);
    } else if ('expiring' in frame) {
      this.#refresh(this.#life);
    } else if (!('pong' in frame)) {
      this.#listener.frame(frame);
    }
  }

  /** @param {Welcome} welcome */
  #welcomed(welcome) {
    const first = this.phase !== 'online';
    this.#welcome = welcome;
    if (!first) {
      this.#listener.state();
      return;
    }
    this.#upAt = this.#clock.now();
    this.ended = null;
    this.#set('online');
    this.#clock.clearTimeout(this.#timer);
    this.#ticked = this.#upAt;
    this.#beat(this.#life, welcome.heartbeat_ms);
    this.#listener.up(welcome);
  }

  /** @param {number} life @param {number} heartbeat */
  #beat(life, heartbeat) {
    this.#timer = this.#clock.setTimeout(() => {
      if (life !== this.#life) {
        return;
      }
      const now = this.#clock.now();
      // A page in the background or a machine asleep hears nothing: then ask before judging.
      const asleep = now - this.#ticked > heartbeat;
      this.#ticked = now;
      if (asleep) {
        this.#awakeAt = now - heartbeat;
      }
      if (now - Math.max(this.#heard, this.#awakeAt) > 2 * heartbeat) {
        this.#lost(1006, 'nothing heard for two beats');
        return;
      }
      this.send({ ping: {} });
      this.#beat(life, heartbeat);
    }, heartbeat / 2);
  }

  /** @param {number} life */
  async #refresh(life) {
    try {
      const token = await this.#source.token({ fresh: true });
      if (life === this.#life) {
        this.send({ refresh: { token } });
      }
    } catch {
      // The server will end the session with 4401, and the next connect asks for a token again.
    }
  }

  /** @param {number} code @param {string} text */
  #lost(code, text) {
    this.ended = { code, text };
    this.#freshToken = needsToken(code);
    const stable = this.phase === 'online' && this.#clock.now() - this.#upAt > STABLE_MS;
    this.#drop();
    if (!comesBack(code)) {
      this.#set('stopped');
      return;
    }
    this.#attempt = stable ? 0 : this.#attempt;
    const ms = waitMs(this.#attempt, this.#random());
    this.#attempt += 1;
    this.#wait(ms);
  }

  /** @param {number} ms */
  #wait(ms) {
    this.retryAt = this.#clock.now() + ms;
    this.#set('waiting');
    this.#timer = this.#clock.setTimeout(() => this.#connect(), ms);
  }

  #drop() {
    this.#life += 1;
    this.#clock.clearTimeout(this.#timer);
    const [transport, wasUp] = [this.#transport, this.phase === 'online'];
    this.#transport = null;
    transport?.close();
    if (wasUp) {
      this.phase = 'waiting';
      this.#listener.down();
    }
  }
}
