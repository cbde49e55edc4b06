// What an operator has written and not sent, per dialog; kept over reloads.

/** @import { Store } from '../client/storage.js' */

import { pageStore } from '../client/storage.js';

const KEY = 'chatcore.draft';

export class Drafts {
  #store;
  #who;

  /** @param {string} who whose drafts @param {Store} [store] */
  constructor(who, store = pageStore('localStorage')) {
    this.#who = who;
    this.#store = store;
  }

  /** @param {number} dialog */
  get(dialog) {
    return this.#store.getItem(this.#key(dialog)) ?? '';
  }

  /** @param {number} dialog @param {string} text */
  set(dialog, text) {
    if (text === '') {
      this.#store.removeItem(this.#key(dialog));
    } else {
      this.#store.setItem(this.#key(dialog), text);
    }
  }

  /** @param {number} dialog */
  #key(dialog) {
    return `${KEY}/${this.#who}/${dialog}`;
  }
}
