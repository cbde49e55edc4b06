// What each list of the left column holds. Rows are made when they are drawn, not before: lists of
// thousands cost what is in sight.

/** @import { Grant, Waiting } from '../model/board.js' */
/** @import { ChatStore } from '../model/store.js' */
/** @import { I18n } from '../i18n/index.js' */
/** @import { Rows } from '../ui/virtual-list.js' */
/** @import { Desk } from './desk.js' */

import { plainText } from '../ui/message-view.js';
import { outcomeText } from '../ui/texts.js';

const SNIPPET_MAX = 90;

/**
 * @typedef {{ dialog: number, customer: string, queue: string, channel: string, since: number | null, unread: number, snippet: string, mark: string }} Item
 * @typedef {{ dialog: number, customer: string, at: number, outcome?: string | null }} Closed
 * @typedef {Rows<Item> & { since: number | null }} Entries `since`: of what is the oldest
 * @typedef {'waiting' | 'mine' | 'held' | 'others' | 'closed'} Name
 */

/** `others` is for supervisors: what the rest of the desk has. */
export const NAMES = /** @type {const} */ (['waiting', 'mine', 'held', 'others', 'closed']);

/** @template Source @param {Source[]} sources @param {(source: Source) => number} dialogOf @param {(source: Source) => Item} draw @returns {Rows<Item>} */
function lazy(sources, dialogOf, draw) {
  return {
    length: sources.length,
    at: (index) => draw(sources[index]),
    find: (key) => sources.findIndex((source) => String(dialogOf(source)) === key),
  };
}

/** @param {{ since: number | null }[]} items */
function oldest(items) {
  return items.reduce((least, { since }) => (since !== null && (least === null || since < least) ? since : least), /** @type {number | null} */ (null));
}

export class ListEntries {
  #store;
  #desk;
  #i18n;
  /** The last search of what waits and of what others have, and what it was made from. @type {Map<Name, { from: string, found: any[] }>} */
  #searched = new Map();
  /** @type {Closed[]} */
  closed = [];

  /** @param {ChatStore} store @param {Desk} desk @param {I18n} i18n */
  constructor(store, desk, i18n) {
    this.#store = store;
    this.#desk = desk;
    this.#i18n = i18n;
  }

  /** @param {Name} name @param {string} [wanted] what is searched for, in small letters @returns {Entries} */
  of(name, wanted = '') {
    switch (name) {
      case 'waiting':
        return this.#waiting(wanted);
      case 'others':
        return this.#others(wanted);
      case 'closed':
        return this.#few(this.closed.map((closed) => this.#closedItem(closed)), wanted);
      default:
        return this.#few(this.#own(name), wanted);
    }
  }

  /** Unread messages in all that one has. */
  get unread() {
    return [...this.#own('mine'), ...this.#own('held')].reduce((sum, { unread }) => sum + unread, 0);
  }

  /** @param {string} wanted @returns {Entries} */
  #waiting(wanted) {
    const { board } = this.#store;
    const since = board.waitingSince;
    if (wanted === '') {
      const { line } = board;
      const find = (/** @type {string} */ key) => {
        const item = board.waits(Number(key));
        return item ? line.indexOf(item) : -1;
      };
      return { length: line.length, at: (index) => this.#waitingItem(line.at(index)), find, since };
    }
    /** @type {Waiting[]} */
    const found = this.#search('waiting', wanted, () => [...board.line].filter(({ wait }) => has(wanted, wait.dialog, wait.customer)));
    return { ...lazy(found, ({ wait }) => wait.dialog, (item) => this.#waitingItem(item)), since: oldest(found.map(({ wait }) => wait)) };
  }

  /** @param {string} wanted @returns {Entries} */
  #others(wanted) {
    const { board } = this.#store;
    const { me, supervisor } = this.#desk;
    if (!supervisor) {
      return { ...lazy([], Number, () => this.#ownItem(0, '')), since: null };
    }
    const theirs = (/** @type {Grant} */ { operator, dialog, customer }) => operator !== me && dialog !== null && has(wanted, dialog, customer, board.nameOf(operator));
    /** @type {Grant[]} */
    const found = this.#search('others', wanted, () => [...board.grants.values()].filter(theirs));
    return { ...lazy(found, ({ dialog }) => Number(dialog), (grant) => this.#othersItem(grant)), since: null };
  }

  /** Searches only when what is searched has changed. @param {Name} name @param {string} wanted @param {() => any[]} search */
  #search(name, wanted, search) {
    const from = `${this.#store.board.version} ${wanted}`;
    const had = this.#searched.get(name);
    if (had?.from === from) {
      return had.found;
    }
    const found = search();
    this.#searched.set(name, { from, found });
    return found;
  }

  /** @param {Item[]} items @param {string} wanted @returns {Entries} */
  #few(items, wanted) {
    const found = items.filter(({ dialog, customer, snippet }) => has(wanted, dialog, customer, snippet));
    return { ...lazy(found, ({ dialog }) => dialog, (item) => item), since: oldest(found) };
  }

  /** @param {'mine' | 'held'} name @returns {Item[]} */
  #own(name) {
    const { board, dialogs } = this.#store;
    return board.held(this.#desk.me).flatMap(({ dialog, customer }) => {
      const held = dialogs.get(Number(dialog))?.phase === 'on_hold';
      return held === (name === 'held') ? [this.#ownItem(Number(dialog), customer)] : [];
    });
  }

  /** @param {Waiting} waiting @returns {Item} */
  #waitingItem({ wait, boost }) {
    const priority = wait.priority + boost;
    return {
      dialog: wait.dialog,
      customer: wait.customer,
      queue: this.#store.board.titleOf(wait.queue),
      channel: wait.channel,
      since: wait.since,
      unread: 0,
      snippet: '',
      mark: priority > 0 ? this.#i18n.t('lists.priority', { n: priority }) : '',
    };
  }

  /** @param {Grant} grant @returns {Item} */
  #othersItem({ dialog, customer, operator }) {
    return { ...this.#ownItem(Number(dialog), customer), since: null, unread: 0, snippet: this.#store.board.nameOf(operator) };
  }

  /** @param {number} id @param {string} customer @returns {Item} */
  #ownItem(id, customer) {
    const store = this.#store;
    const dialog = store.dialogs.get(id);
    const last = dialog?.last;
    // How long the customer has been without an answer.
    const open = last && typeof last.author !== 'string' && 'customer' in last.author ? last.at : null;
    return {
      dialog: id,
      customer,
      queue: store.board.titleOf(dialog?.queue ?? null),
      channel: dialog?.channel ?? '',
      since: open,
      unread: dialog && store.me ? dialog.unread(store.me) : 0,
      snippet: last?.body ? plainText(last.body, this.#i18n).slice(0, SNIPPET_MAX) : '',
      mark: dialog?.phase === 'wrap_up' ? this.#i18n.t('phase.wrap_up') : '',
    };
  }

  /** @param {Closed} closed @returns {Item} */
  #closedItem({ dialog, customer, at, outcome }) {
    const snippet = outcome ? outcomeText(this.#i18n, outcome) : '';
    return { dialog, customer, queue: '', channel: '', since: null, unread: 0, snippet, mark: this.#i18n.stamp(at) };
  }
}

/** @param {string} wanted @param {(string | number | null)[]} words */
function has(wanted, ...words) {
  return wanted === '' || words.join(' ').toLowerCase().includes(wanted);
}
