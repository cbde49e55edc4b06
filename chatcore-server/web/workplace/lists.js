// The left column: who waits, what one has, what is on hold, what was closed.

/** @import { I18n } from '../i18n/index.js' */
/** @import { OperatorStatus } from '../client/frames.js' */
/** @import { ChatStore } from '../model/store.js' */
/** @import { Desk } from './desk.js' */

import { h, icon, keyed, setText } from '../ui/dom.js';
import { plainText } from '../ui/message-view.js';
import { outcomeText } from '../ui/texts.js';

/**
 * @typedef {{ dialog: number, customer: string, queue: string, channel: string, since: number | null, unread: number, snippet: string, mark: string }} Item
 * @typedef {'waiting' | 'mine' | 'held' | 'others' | 'closed'} Name
 * @typedef {{ box: HTMLElement, count: HTMLElement, age: HTMLElement, rows: HTMLElement }} Section
 * @typedef {{ i18n: I18n, store: ChatStore, desk: Desk, open: (dialog: number) => void, begin: () => void, help: () => void, act: (doing: Promise<unknown>) => void }} ListsOptions
 */

/** `others` is for supervisors: what the rest of the desk has. */
const NAMES = /** @type {const} */ (['waiting', 'mine', 'held', 'others', 'closed']);
const STATUSES = /** @type {const} */ (['available', 'busy', 'away']);

export class Lists {
  #options;
  /** @type {number | null} */
  #selected = null;
  /** @type {{ dialog: number, customer: string, at: number, outcome?: string | null }[]} */
  #closed = [];
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

  /** The dialogs in the order shown, collapsed lists left out. @returns {number[]} */
  get order() {
    return NAMES.filter((name) => /** @type {HTMLDetailsElement} */ (this.#sections[name].box).open).flatMap((name) => this.#items(name).map(({ dialog }) => dialog));
  }

  /** @param {number | null} dialog */
  set selected(dialog) {
    this.#selected = dialog;
    this.update();
  }

  focusSearch() {
    this.#search.focus();
    this.#search.select();
  }

  async loadClosed() {
    try {
      const { dialogs } = await this.#options.store.client.get('/api/closed?limit=50');
      this.#closed = dialogs;
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
    for (const name of NAMES) {
      const items = this.#items(name);
      const { count, rows } = this.#sections[name];
      setText(count, String(items.length));
      keyed(rows, items, {
        key: ({ dialog }) => String(dialog),
        version: (item) => JSON.stringify([item, item.dialog === this.#selected]),
        draw: (item) => this.#row(item),
      });
    }
    this.#ages();
  }

  /** Unread messages in all that one has. */
  get unread() {
    return [...this.#items('mine'), ...this.#items('held')].reduce((sum, { unread }) => sum + unread, 0);
  }

  /** @param {Name} name @returns {Section} */
  #section(name) {
    const { t } = this.#options.i18n;
    const [count, age] = [h('span', { class: 'count' }), h('span', { class: 'age' })];
    const rows = h('ul', { class: 'dialogs' });
    const box = h(
      'details',
      { class: `section section-${name}`, open: name !== 'closed', ontoggle: () => name === 'closed' && /** @type {HTMLDetailsElement} */ (box).open && this.loadClosed() },
      h('summary', {}, h('span', { class: 'title' }, t(`lists.${name}`)), count, age),
      rows,
    );
    return { box, count, age, rows };
  }

  /** @param {Name} name @returns {Item[]} */
  #items(name) {
    const wanted = this.#search?.value.trim().toLowerCase() ?? '';
    return this.#all(name).filter(({ dialog, customer, snippet }) => `${dialog} ${customer} ${snippet}`.toLowerCase().includes(wanted));
  }

  /** @param {Name} name @returns {Item[]} */
  #all(name) {
    const { store, desk, i18n } = this.#options;
    if (name === 'closed') {
      return this.#closed.map(({ dialog, customer, at, outcome }) => ({ dialog, customer, queue: '', channel: '', since: null, unread: 0, snippet: outcome ? outcomeText(i18n, outcome) : '', mark: i18n.stamp(at) }));
    }
    if (name === 'waiting') {
      return store.board.line().map(({ wait, boost }) => ({
        dialog: wait.dialog,
        customer: wait.customer,
        queue: store.board.titleOf(wait.queue),
        channel: wait.channel,
        since: wait.since,
        unread: 0,
        snippet: '',
        mark: wait.priority + boost > 0 ? i18n.t('lists.priority', { n: wait.priority + boost }) : '',
      }));
    }
    if (name === 'others') {
      const grants = desk.supervisor ? [...store.board.grants.values()] : [];
      return grants.filter(({ operator, dialog }) => operator !== desk.me && dialog !== null).map((grant) => ({ ...this.#ownItem(/** @type {number} */ (grant.dialog), grant.customer), since: null, unread: 0, snippet: store.board.nameOf(grant.operator) }));
    }
    return store.board.held(desk.me).flatMap((grant) => {
      const dialog = store.dialogs.get(/** @type {number} */ (grant.dialog));
      const held = dialog?.phase === 'on_hold';
      return held === (name === 'held') ? [this.#ownItem(/** @type {number} */ (grant.dialog), grant.customer)] : [];
    });
  }

  /** @param {number} id @param {string} customer @returns {Item} */
  #ownItem(id, customer) {
    const { store, i18n } = this.#options;
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
      snippet: last?.body ? plainText(last.body, i18n).slice(0, 90) : '',
      mark: dialog?.phase === 'wrap_up' ? i18n.t('phase.wrap_up') : '',
    };
  }

  /** @param {Item} item */
  #row({ dialog, customer, queue, channel, since, unread, snippet, mark }) {
    const { t } = this.#options.i18n;
    const current = dialog === this.#selected;
    const line = snippet || [queue, channel].filter(Boolean).join(' · ');
    return h(
      'li',
      {},
      h(
        'button',
        { type: 'button', class: `dialog${current ? ' current' : ''}${unread > 0 ? ' unread' : ''}`, 'aria-current': current ? 'true' : null, 'data-dialog': dialog, onclick: () => this.#options.open(dialog) },
        h('span', { class: 'who' }, customer),
        h('span', { class: 'number' }, `#${dialog}`),
        mark && h('span', { class: 'mark' }, mark),
        h('span', { class: 'age', 'data-since': since }),
        h('span', { class: 'snippet' }, line),
        unread > 0 && h('span', { class: 'badge', 'aria-label': t('lists.unread', { n: unread }) }, unread > 99 ? '99+' : unread),
      ),
    );
  }

  #ages() {
    const { i18n } = this.#options;
    const now = Date.now();
    for (const { rows, age } of Object.values(this.#sections)) {
      let oldest = now;
      for (const node of rows.querySelectorAll('[data-since]')) {
        const since = Number(node.getAttribute('data-since'));
        oldest = Math.min(oldest, since);
        setText(node, i18n.wait(now - since));
      }
      setText(age, oldest < now ? i18n.wait(now - oldest) : '');
      age.title = oldest < now ? i18n.t('lists.oldest') : '';
    }
  }

  #setStatus() {
    const { desk, act } = this.#options;
    act(desk.status(/** @type {OperatorStatus} */ (this.#status.value)));
  }
}
