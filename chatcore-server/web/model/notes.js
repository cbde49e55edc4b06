// The notes about a customer, as the events of a dialog tell them and as the server reads them. Pure.

/** @import { Content, NoteId, Participant } from '../client/frames.js' */

/** @typedef {{ note: NoteId, at: number, author: Participant, body: Content }} Note */

/**
 * A note has a number of its own, and one that went never comes back: so it does not matter in which
 * order old pages, news and answers arrive.
 */
export class Notes {
  /** @type {Map<NoteId, Note>} */
  #notes = new Map();
  /** @type {Set<NoteId>} */
  #removed = new Set();
  version = 0;

  /** Oldest first. @returns {Note[]} */
  get all() {
    return [...this.#notes.values()].sort((a, b) => a.note - b.note);
  }

  /** The numbers of those that are here, to be given to `read` later. */
  get known() {
    return [...this.#notes.keys()];
  }

  /** @param {Note} note */
  came(note) {
    if (!this.#removed.has(note.note) && !this.#notes.has(note.note)) {
      this.#notes.set(note.note, note);
      this.version += 1;
    }
  }

  /** @param {NoteId} note */
  went(note) {
    this.#removed.add(note);
    this.#notes.delete(note);
    this.version += 1;
  }

  /** All that there are, by an answer of the server. @param {Note[]} notes @param {NoteId[]} asked what was known when it was asked */
  read(notes, asked) {
    const there = new Set(notes.map(({ note }) => note));
    asked.filter((note) => !there.has(note)).forEach((note) => this.went(note));
    notes.forEach((note) => this.came(note));
    // The text of one that is here may have been erased meanwhile.
    notes.filter(({ note, body }) => this.#notes.has(note) && body === 'erased').forEach((note) => this.#notes.set(note.note, note));
    this.version += 1;
  }
}
