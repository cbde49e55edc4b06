// The left column: who waits, what one has, what is on hold, what was closed.

/** @import { I18n } from '../i18n/index.js' */
/** @import { OperatorStatus } from '../client/frames.js' */
/** @import { ChatStore } from '../model/store.js' */
/** @import { Desk } from './desk.js' */
/** @import { Entries, Item, Name } from './entries.js' */

import { h, icon, setText } from '../ui/dom.js';
import { EvenHeights } from '../ui/row-heights.js';
import { RowKeys } from '../ui/row-keys.js';
import { VirtualList } from '../ui/virtual-list.js';
import { ListEntries, NAMES } from './entries.js';

/**
 * @typedef {{ key: string, version: string, item: Item }} Row
 * @typedef {{ box: HTMLDetailsElement, count: HTMLElement, age: HTMLElement, list: VirtualList<Row>, keys: RowKeys, entries: Entries }} Section
 * @typedef {{ i18n: I18n, store: ChatStore, desk: Desk, open: (dialog: number) => void, begin: () => void, help: () => void, act: (doing: Promise<unknown>) => void }} ListsOptions
 */

const STATUSES = /** @type {const} */ (['available', 'busy', 'away']);
/** Until the first row is drawn. */
const ROW_PX = 44;

export class Lists {
  #options;
  #entries;
  /** @type {number | null} */
  #selected = null;
  /** The list that shows the selected dialog. @type {Name | null} */
  #shownIn = null;
  /** @type {Record<Name, Section>} */
  #sections;
  #search;
  #status;
  #load = h('span', { class: 'load' });
  #name = h('strong', { class: 'own-name' });
  element;

  /** @param {ListsOptions} options */
  constructor(options) {
    this.#options = options;
    this.#entries = new ListEntries(options.store, options.desk, options.i18n);
    const { t } = options.i18n;
    this.#search = h('input', { type: 'search', class: 'field search', placeholder: t('lists.search'), 'aria-label': t('lists.search'), oninput: () => this.update() });
    this.#status = h(
      'select',
      { class: 'status', 'aria-label': t('status.label'), onchange: () => this.#setStatus() },
      ...STATUSES.map((status) => h('option', { value: status }, t(`status.${status}`))),
    );
    this.#sections = /** @type {Record<Name, Section>} */ (Object.fromEntries(NAMES.map((name) => [name, this.#section(name)])));
    const begin = h('button', { type: 'button', class: 'bare', 'aria-label': t('begin.title'), title: t('begin.title'), onclick: options.begin }, icon('plus'));
    const help = h('button', { type: 'button', class: 'bare help', 'aria-label': t('help.title'), title: t('help.title'), onclick: options.help }, '?');
    this.element = h(
      'nav',
      { class: 'lists', 'aria-label': t('lists.title') },
      h('div', { class: 'own' }, this.#name, this.#load, begin, help),
      h('div', { class: 'own' }, this.#status, this.#search),
      h('div', { class: 'sections' }, ...NAMES.map((name) => this.#sections[name].box)),
    );
    setInterval(() => this.#ages(), 1_000);
  }

  /** The dialog after or before the selected one, in the order shown, collapsed lists left out. @param {1 | -1} by @returns {number | null} */
  beside(by) {
    const lists = NAMES.map((name) => this.#sections[name]).filter(({ box }) => box.open && !box.hidden);
    const total = lists.reduce((sum, { entries }) => sum + entries.length, 0);
    let before = 0;
    let place = by > 0 ? -1 : 0;
    for (const { entries } of lists) {
      const found = this.#selected === null ? -1 : entries.find(String(this.#selected));
      if (found >= 0) {
        place = before + found;
        break;
      }
      before += entries.length;
    }
    let next = total === 0 ? 0 : (place + by + total) % total;
    for (const { entries } of lists) {
      if (next < entries.length) {
        return entries.at(next).dialog;
      }
      next -= entries.length;
    }
    return null;
  }

  /** @param {number | null} dialog */
  set selected(dialog) {
    this.#selected = dialog;
    this.#shownIn = null;
    this.update();
  }

  focusSearch() {
    this.#search.focus();
    this.#search.select();
  }

  async loadClosed() {
    try {
      const { dialogs } = await this.#options.store.client.get('/api/closed?limit=50');
      this.#entries.closed = dialogs;
      this.update();
    } catch {
      // The list is late anyway; it is read again after the next close or reconnect.
    }
  }

  update() {
    const { store, desk, i18n } = this.#options;
    const own = store.board.operators.get(desk.me);
    setText(this.#name, store.client.welcome?.name ?? desk.me);
    const capacity = store.board.capacityOf(desk.me);
    setText(this.#load, capacity > 0 ? i18n.t('lists.load', { n: store.board.load(desk.me), capacity }) : '');
    this.#status.value = own?.status ?? 'away';
    this.#status.disabled = !desk.online;
    this.#status.dataset.status = this.#status.value;
    this.#sections.others.box.hidden = !desk.supervisor;
    const wanted = this.#search.value.trim().toLowerCase();
    for (const name of NAMES) {
      const section = this.#sections[name];
      const entries = this.#entries.of(name, wanted);
      section.entries = entries;
      setText(section.count, String(entries.length));
      section.list.set({ length: entries.length, at: (index) => this.#rowOf(entries.at(index)), find: entries.find });
    }
    this.#showSelected();
    this.#ages();
  }

  /** Unread messages in all that one has. */
  get unread() {
    return this.#entries.unread;
  }

  /** @param {Name} name @returns {Section} */
  #section(name) {
    const { t } = this.#options.i18n;
    const [count, age] = [h('span', { class: 'count' }), h('span', { class: 'age' })];
    const rows = h('div', { class: 'dialogs', role: 'group', 'aria-label': t(`lists.${name}`) });
    const box = h(
      'details',
      { class: `section section-${name}`, open: name !== 'closed', ontoggle: () => name === 'closed' && box.open && this.loadClosed() },
      h('summary', {}, h('span', { class: 'title' }, t(`lists.${name}`)), count, age),
      rows,
    );
    const keys = new RowKeys(rows);
    /** @type {VirtualList<Row>} */
    const list = new VirtualList(rows, { ...keys.hooks, draw: ({ item }) => this.#row(item), heights: new EvenHeights(ROW_PX), follow: 'top', numbered: true });
    list.list.setAttribute('aria-label', t(`lists.${name}`));
    keys.attach(list);
    return { box, count, age, list, keys, entries: this.#entries.of(name) };
  }

  /** Once for each place that the selected dialog moves to: the reader may look elsewhere then. */
  #showSelected() {
    const key = String(this.#selected);
    const name = this.#selected === null ? null : (NAMES.find((list) => this.#sections[list].entries.find(key) >= 0) ?? null);
    if (name !== null && name !== this.#shownIn) {
      this.#sections[name].keys.activate(key);
      this.#sections[name].list.reveal(key);
    }
    this.#shownIn = name;
  }

  /** @param {Item} item @returns {Row} */
  #rowOf(item) {
    return { key: String(item.dialog), version: JSON.stringify([item, item.dialog === this.#selected]), item };
  }

  /** @param {Item} item */
  #row({ dialog, customer, queue, channel, since, unread, snippet, mark }) {
    const { t, wait } = this.#options.i18n;
    const current = dialog === this.#selected;
    const line = snippet || [queue, channel].filter(Boolean).join(' · ');
    return h(
      'div',
      {},
      h(
        'button',
        { type: 'button', class: `dialog${current ? ' current' : ''}${unread > 0 ? ' unread' : ''}`, tabindex: -1, 'aria-current': current ? 'true' : null, 'data-dialog': dialog, onclick: () => this.#options.open(dialog) },
        h('span', { class: 'who' }, customer),
        h('span', { class: 'number' }, `#${dialog}`),
        mark && h('span', { class: 'mark' }, mark),
        h('span', { class: 'age', 'data-since': since }, since === null ? '' : wait(Date.now() - since)),
        h('span', { class: 'snippet' }, line),
        unread > 0 && h('span', { class: 'badge', 'aria-label': t('lists.unread', { n: unread }) }, unread > 99 ? '99+' : unread),
      ),
    );
  }

  #ages() {
    const { i18n } = this.#options;
    const now = Date.now();
    for (const { list, age, entries } of Object.values(this.#sections)) {
      for (const node of list.list.querySelectorAll('[data-since]')) {
        setText(node, i18n.wait(now - Number(node.getAttribute('data-since'))));
      }
      const { since } = entries;
      const told = since !== null && since < now;
      setText(age, told ? i18n.wait(now - since) : '');
      age.title = told ? i18n.t('lists.oldest') : '';
    }
  }

  #setStatus() {
    const { desk, act } = this.#options;
    act(desk.status(/** @type {OperatorStatus} */ (this.#status.value)));
  }
}
