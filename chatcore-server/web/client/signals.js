// What is told without being counted or kept: typing, and how far one has received and read.

/** @import { ClientFrame, Target } from './frames.js' */
/** @import { Clock } from './connection.js' */

const TYPING_MS = 3_000;
const CURSOR_MS = 400;

export class Signals {
  #send;
  #online;
  #clock;
  /** @type {Map<number, { target: Target, dialog: number, delivered: number, read: number }>} */
  #cursors = new Map();
  /** Dialogs whose cursor moved and was not told. @type {Set<number>} */
  #due = new Set();
  #timer = /** @type {any} */ (null);
  /** @type {Map<number, number>} */
  #typedAt = new Map();

  /** @param {(frame: ClientFrame) => void} send @param {() => boolean} online @param {Clock} clock */
  constructor(send, online, clock) {
    this.#send = send;
    this.#online = online;
    this.#clock = clock;
  }

  /** At most once every few seconds. @param {number} dialog */
  typing(dialog) {
    const now = this.#clock.now();
    if (now - (this.#typedAt.get(dialog) ?? -TYPING_MS) >= TYPING_MS) {
      this.#typedAt.set(dialog, now);
      this.#send({ typing: { dialog } });
    }
  }

  /** Moves only forward; many moves are told as one. @param {Target} target @param {number} dialog @param {number} delivered @param {number} read */
  cursor(target, dialog, delivered, read) {
    const had = this.#cursors.get(dialog) ?? { delivered: 0, read: 0 };
    if (delivered <= had.delivered && read <= had.read) {
      return;
    }
    this.#cursors.set(dialog, {
      target,
      dialog,
      delivered: Math.max(had.delivered, delivered),
      read: Math.max(had.read, read),
    });
    this.#due.add(dialog);
    this.#timer ??= this.#clock.setTimeout(() => this.#tell(), CURSOR_MS);
  }

  /** After a reconnect: nobody says which cursors arrived, so all are told again. */
  tellAll() {
    this.#cursors.forEach((_, dialog) => this.#due.add(dialog));
    this.#tell();
  }

  #tell() {
    this.#clock.clearTimeout(this.#timer);
    this.#timer = null;
    if (!this.#online()) {
      return;
    }
    for (const dialog of this.#due) {
      const cursor = this.#cursors.get(dialog);
      if (cursor) {
        this.#send({ cursor });
      }
    }
    this.#due.clear();
  }
}
