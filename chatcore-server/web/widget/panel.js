// The widget's panel: head, messages, what may be done now, composer.

/** @import { I18n } from '../i18n/index.js' */
/** @import { Participant } from '../client/frames.js' */
/** @import { Dialog, Entry } from '../model/dialog.js' */
/** @import { Row } from '../model/rows.js' */
/** @import { ChatStore } from '../model/store.js' */
/** @import { Conversation } from './conversation.js' */
/** @import { View } from '../ui/message-view.js' */

import { rowsOf } from '../model/rows.js';
import { Composer } from '../ui/composer.js';
import { fill, h, icon, setText } from '../ui/dom.js';
import { drawRow, plainText } from '../ui/message-view.js';
import { failureText, lineText, placeText, rejectionText } from '../ui/texts.js';
import { VirtualList } from '../ui/virtual-list.js';
import { Footer } from './footer.js';

/** Lines that say nothing to a customer. */
const HIDDEN = new Set(['opened', 'held', 'resumed', 'wrap_up', 'tagged', 'topic_set', 'rated']);
/** Why a dialog waits, as far as it is the customer's business. */
const TOLD = new Set(['asked', 'failed']);
const DRAFT_KEY = 'chatcore.widget.draft';

/** @typedef {{ i18n: I18n, store: ChatStore, conversation: Conversation, heading: string, close: () => void }} PanelOptions */

export class Panel {
  #i18n;
  #store;
  #conversation;
  #close;
  #shown = false;
  /** @type {number | null} */
  #editing = null;
  /** @type {number | null} */
  #unreadAfter = null;
  /** @type {number | null} */
  #dialog = null;
  #footer;
  #state = h('div', { class: 'state' });
  #number = h('div', { class: 'number' });
  #banner = h('div', { class: 'banner', role: 'status' });
  #notice = h('div', { class: 'notice', role: 'alert' });
  #typing = h('div', { class: 'typing', 'aria-live': 'polite' });
  #live = h('div', { class: 'sr-only', 'aria-live': 'polite' });
  #wait = h('div', { class: 'waiting', hidden: true });
  #log;
  #list;
  #jump;
  #composer;
  #view;
  element;

  /** @param {PanelOptions} options */
  constructor({ i18n, store, conversation, heading, close }) {
    this.#i18n = i18n;
    this.#store = store;
    this.#conversation = conversation;
    this.#close = close;
    const { t } = i18n;
    this.#view = this.#makeView();
    this.#footer = new Footer({ i18n, conversation, act: (doing) => void this.#try(doing), changed: () => this.#update() });
    this.#log = h('div', { class: 'log', tabindex: 0, role: 'region', 'aria-label': t('message.list') });
    this.#list = new VirtualList(this.#log, {
      draw: (/** @type {Row} */ row) => drawRow(row, this.#view),
      nearTop: () => this.#older(),
    });
    this.#jump = h('button', { type: 'button', class: 'jump', hidden: true, 'aria-label': t('message.toEnd'), title: t('message.toEnd'), onclick: () => this.#list.toEnd() }, icon('down'));
    this.#log.addEventListener('scroll', () => this.#sawEnd(), { passive: true });
    this.#composer = new Composer({
      i18n,
      send: (text) => this.#send(text),
      changed: (text) => this.#typed(text),
      cancel: () => this.#edit(null),
      key: (event) => this.#key(event),
    });
    const hide = h('button', { type: 'button', class: 'bare', 'aria-label': t('widget.close'), title: t('widget.close'), onclick: close }, icon('close'));
    this.element = h(
      'section',
      { class: 'panel', part: 'panel', role: 'dialog', 'aria-label': heading, hidden: true, onkeydown: (/** @type {KeyboardEvent} */ event) => this.#escape(event) },
      h('header', { class: 'head' }, h('div', { class: 'head-text' }, h('h2', {}, heading), this.#state), this.#number, hide),
      this.#banner,
      h('div', { class: 'body' }, this.#log, this.#jump),
      this.#wait,
      this.#typing,
      this.#notice,
      this.#footer.element,
      this.#composer.element,
      this.#live,
    );
    this.#composer.value = this.#draft();
    store.on('changed', () => this.#update());
    store.on('arrived', ({ dialog, entries }) => this.#announce(dialog, entries));
    document.addEventListener('visibilitychange', () => this.#sawEnd());
    setInterval(() => this.#shown && this.#showWait(), 1_000);
    this.#update();
  }

  /** @param {boolean} on */
  show(on) {
    this.#shown = on;
    this.element.hidden = !on;
    if (on) {
      this.#markUnread();
      this.#update();
      this.#list.toEnd();
      this.#composer.focus();
      this.#sawEnd();
    }
  }

  /** @returns {View} */
  #makeView() {
    const { t } = this.#i18n;
    return {
      i18n: this.#i18n,
      name: (who) => this.#name(who),
      line: (entry) => {
        if (entry.line?.name === 'closed') {
          return t('line.wrap_up');
        }
        const waits = entry.line?.name === 'waiting' && !TOLD.has(entry.line.reason);
        return waits ? t('line.waiting') : lineText(this.#i18n, entry, (who) => this.#name(who), () => '');
      },
      can: (entry) => {
        const phase = this.#conversation.dialog?.phase;
        const mine = this.#isMe(entry.author) && phase !== 'closed' && phase !== 'wrap_up' && entry.kind === 'message';
        return { press: true, edit: mine && entry.body !== null && 'text' in entry.body, remove: mine };
      },
      quoted: (seq) => this.#conversation.dialog?.entry(seq) ?? null,
      press: (entry, button) => this.#try(this.#conversation.press(entry, button)),
      edit: (entry) => this.#edit(entry),
      remove: (entry) => this.#try(this.#conversation.withdraw(entry.seq)),
      again: (sending) => {
        this.#store.outgoing.discard(sending.id);
        if ('text' in sending.body) {
          this.#try(this.#conversation.say(sending.body.text));
        }
        this.#update();
      },
      discard: (sending) => {
        this.#store.outgoing.discard(sending.id);
        this.#update();
      },
    };
  }

  /** @param {Participant} who */
  #name(who) {
    const { t } = this.#i18n;
    if (who === 'bot' || who === 'system') {
      return t(who === 'bot' ? 'who.bot' : 'who.bank');
    }
    return 'staff' in who ? this.#store.board.nameOf(who.staff).replace(/^./u, (first) => first.toUpperCase()) : t('who.you');
  }

  /** @param {Participant} who */
  #isMe(who) {
    return typeof who !== 'string' && 'customer' in who;
  }

  #update() {
    const { dialog } = this.#conversation;
    if ((dialog?.id ?? null) !== this.#dialog) {
      this.#dialog = dialog?.id ?? null;
      this.#unreadAfter = null;
      this.#edit(null);
      this.#list.restart();
    }
    this.#showHead(dialog);
    this.#showBanner();
    this.#showWait();
    this.#showFooter(dialog);
    if (this.#shown) {
      this.#list.set(this.#rows(dialog));
      this.#sawEnd();
    }
    const typing = dialog ? this.#store.typing(dialog.id) : [];
    setText(this.#typing, typing.length > 0 ? this.#i18n.t('widget.typing', { name: this.#name(typing[0]) }) : '');
  }

  /** @param {Dialog | null} dialog @returns {Row[]} */
  #rows(dialog) {
    const me = this.#store.me;
    const first = this.#conversation.first;
    /** @type {Row[]} */
    const rows = dialog && me ? rowsOf(dialog, this.#store.outgoing.of(dialog.id), { me, hidden: HIDDEN, unreadAfter: this.#unreadAfter, editing: this.#editing }) : [];
    const opening = this.#store.client.pending.some(({ command }) => 'customer' in command && 'open' in command.customer);
    if (first !== null && opening) {
      const sending = { id: 'first', target: { customer: '' }, command: /** @type {any} */ (null), at: Date.now(), dialog: 0, body: { text: first }, state: /** @type {const} */ ('sending'), seq: null, code: null, detail: {} };
      rows.push({ key: 'first', version: '', kind: 'sending', sending });
    }
    return rows;
  }

  /** @param {Dialog | null} dialog */
  #showHead(dialog) {
    const { t } = this.#i18n;
    const name = dialog?.owner ? this.#name({ staff: dialog.owner }) : t('who.operator');
    setText(this.#state, dialog ? t(`widget.state.${dialog.phase}`, { name }) : t('widget.state.none'));
    setText(this.#number, dialog ? t('widget.number', { id: String(dialog.id) }) : '');
    this.element.dataset.phase = dialog?.phase ?? 'none';
  }

  #showBanner() {
    const { t } = this.#i18n;
    const { phase, ended, asOf } = this.#store.client.state;
    const dialog = this.#conversation.dialog;
    const signIn = ended?.code === 4501 || ended?.code === 4503;
    let text = '';
    if (phase === 'stopped') {
      text = t(signIn ? 'widget.signIn' : 'widget.stopped');
    } else if (phase !== 'online') {
      text = t(asOf === 0 && phase === 'connecting' ? 'widget.connecting' : 'widget.offline');
    } else if (dialog && this.#store.unreadable.has(dialog.id)) {
      text = t('widget.olderFailed');
    } else if (dialog && !dialog.complete && this.#store.isLoading(dialog.id)) {
      text = t('widget.older');
    }
    setText(this.#banner, text);
    this.#banner.classList.toggle('offline', phase !== 'online');
    this.#composer.held = this.#store.me === null || phase === 'stopped';
  }

  #showWait() {
    const { t, wait } = this.#i18n;
    const dialog = this.#conversation.dialog;
    const waiting = dialog?.phase === 'waiting';
    this.#wait.hidden = !waiting && dialog?.phase !== 'on_hold';
    if (waiting) {
      const since = dialog.waitingSince ? t('widget.waitingFor', { time: wait(Date.now() - dialog.waitingSince) }) : '';
      if (this.#wait.childElementCount !== 3) {
        fill(this.#wait, h('p', {}, t('widget.waiting')), h('p', { class: 'place', role: 'status' }), h('p', { class: 'since' }));
      }
      setText(this.#wait.children[1], placeText(this.#i18n, dialog.place));
      setText(/** @type {Element} */ (this.#wait.lastElementChild), since);
    } else if (!this.#wait.hidden) {
      fill(this.#wait, h('p', {}, t('widget.held')));
    }
  }

  /** @param {Dialog | null} dialog */
  #showFooter(dialog) {
    const active = /** @type {ShadowRoot | Document} */ (this.element.getRootNode()).activeElement;
    const actions = this.#footer.element;
    const focused = actions.contains(active) || this.#composer.element.contains(active);
    if (!this.#footer.update(dialog)) {
      return;
    }
    const over = dialog?.phase === 'closed' || dialog?.phase === 'wrap_up';
    this.#composer.element.hidden = over;
    // What had the focus may be gone: a keyboard must not fall out of the panel.
    if (focused && (over || !active?.isConnected)) {
      /** @type {HTMLElement} */ (actions.querySelector('button, input') ?? this.#composer.field).focus();
    }
  }

  /** Shows why something was not done. @param {Promise<unknown>} act */
  async #try(act) {
    setText(this.#notice, '');
    try {
      const outcome = /** @type {any} */ (await act);
      setText(this.#notice, outcome && typeof outcome === 'object' ? (rejectionText(this.#i18n, outcome) ?? '') : '');
    } catch (error) {
      const { outcome } = /** @type {any} */ (error);
      setText(this.#notice, (outcome && rejectionText(this.#i18n, outcome)) ?? failureText(this.#i18n, error));
    }
  }

  /** @param {string} text */
  #send(text) {
    const message = this.#editing;
    const kept = !this.#conversation.open;
    this.#composer.value = '';
    if (message !== null) {
      this.#edit(null);
      this.#try(this.#conversation.edit(message, text));
      return;
    }
    // The first words are kept until there is a dialog that takes them.
    this.#keep(kept ? text : '');
    const said = this.#conversation.say(text);
    said.then(() => kept && this.#keep(this.#composer.value)).catch(() => {
      if (kept) {
        this.#composer.value = text;
      }
    });
    // A rejected message says so itself, in its place.
    this.#try(kept ? said : said.then(() => null, () => null));
    this.#list.toEnd();
    this.#update();
  }

  /** @param {Entry | null} entry */
  #edit(entry) {
    if (!entry && this.#editing === null) {
      return;
    }
    this.#editing = entry?.seq ?? null;
    this.#composer.editing = entry !== null;
    this.#composer.value = entry?.body ? plainText(entry.body, this.#i18n) : this.#draft();
    this.#composer.focus();
  }

  /** @param {string} text */
  #typed(text) {
    if (this.#editing === null) {
      this.#keep(text);
      this.#conversation.typing();
    }
  }

  #draft() {
    try {
      return sessionStorage.getItem(DRAFT_KEY) ?? '';
    } catch {
      return '';
    }
  }

  /** @param {string} text */
  #keep(text) {
    try {
      sessionStorage.setItem(DRAFT_KEY, text);
    } catch {
      // Without storage a draft lasts as long as the page.
    }
  }

  /** Up in an empty field edits the last message of one's own. @param {KeyboardEvent} event */
  #key(event) {
    if (event.key !== 'ArrowUp' || this.#composer.value !== '' || this.#editing !== null) {
      return false;
    }
    const last = this.#conversation.dialog?.entries.findLast((entry) => this.#view.can(entry).edit && !entry.deletedBy);
    if (last) {
      event.preventDefault();
      this.#edit(last);
    }
    return last !== undefined;
  }

  /** @param {KeyboardEvent} event */
  #escape(event) {
    if (event.key === 'Escape') {
      event.stopPropagation();
      this.#close();
    }
  }

  #older() {
    const { dialog } = this.#conversation;
    if (dialog) {
      this.#store.older(dialog);
    }
  }

  /** A mark above what came while the panel was hidden. */
  #markUnread() {
    const { dialog } = this.#conversation;
    const me = this.#store.me;
    if (dialog && me && dialog.unread(me) > 0) {
      this.#unreadAfter = [...dialog.cursors.values()].find(({ participant }) => this.#isMe(participant))?.read ?? 0;
    }
  }

  #sawEnd() {
    const inSight = this.#shown && !document.hidden && this.#list.atEnd;
    this.#jump.hidden = this.#list.atEnd || !this.#shown;
    this.#conversation.seen(inSight);
    const me = this.#store.me;
    const { dialog } = this.#conversation;
    if (inSight && dialog && me) {
      // What one has read oneself need not come back from the server first.
      const read = { dialog: dialog.id, participant: me, delivered: dialog.position, read: dialog.position };
      if ((dialog.cursors.get(`customer:${this.#conversation.customer}`)?.read ?? 0) < dialog.position) {
        dialog.moved([read]);
      }
    }
  }

  /** @param {Dialog} dialog @param {Entry[]} entries */
  #announce(dialog, entries) {
    const news = entries.filter(({ author, body }) => body && !this.#isMe(author));
    if (this.#shown && dialog === this.#conversation.dialog && news.length > 0) {
      setText(this.#live, news.map(({ author, body }) => `${this.#name(author)}: ${body ? plainText(body, this.#i18n) : ''}`).join('. '));
    }
  }
}
