// The operator's workplace: three columns over one store.

/** @import { ChatClient } from '../client/chatcore-client.js' */
/** @import { I18n } from '../i18n/index.js' */
/** @import { Participant } from '../client/frames.js' */
/** @import { Action } from './thread.js' */

import { ChatStore } from '../model/store.js';
import { h, setText } from '../ui/dom.js';
import { plainText } from '../ui/message-view.js';
import { failureText, rejectionText } from '../ui/texts.js';
import { Desk } from './desk.js';
import { Details } from './details.js';
import { Drafts } from './drafts.js';
import { askAssign, askBegin, askClose, askSure, askTransfer, showHelp } from './forms.js';
import { Lists } from './lists.js';
import { Thread } from './thread.js';

const CLOSED_LATER_MS = 1_500;
/** A message that was rejected for these reasons goes back to the draft. */
const LOST = new Set(['not_owner', 'stale_epoch', 'already_owned', 'forbidden', 'closed', 'wrong_phase']);

export class Workplace {
  #i18n;
  #client;
  #store;
  #desk;
  /** @type {Drafts} */
  #drafts = new Drafts('');
  #lists;
  #thread;
  #details;
  /** @type {number | null} */
  #selected = null;
  /** Followed only because it is looked at. @type {string | null} */
  #looking = null;
  /** Begun here, its number not yet known. @type {{ customer: string, had: Set<number> } | null} */
  #begun = null;
  #title = document.title;
  #stale = h('div', { class: 'stale', role: 'alert', hidden: true });
  #live = h('div', { class: 'sr-only', 'aria-live': 'polite' });
  element;

  /** @param {I18n} i18n @param {ChatClient} client @param {string} who whose drafts these are, before the first welcome */
  constructor(i18n, client, who) {
    this.#i18n = i18n;
    this.#client = client;
    this.#store = new ChatStore(client);
    this.#desk = new Desk(this.#store);
    this.#drafts = new Drafts(who);
    const act = (/** @type {Promise<unknown>} */ doing) => this.#act(doing);
    const shared = { i18n, store: this.#store, desk: this.#desk, act };
    this.#lists = new Lists({ ...shared, open: (dialog) => this.#open(dialog, true), begin: () => this.#begin(), help: () => showHelp(i18n) });
    this.#thread = new Thread({ ...shared, drafts: this.#drafts, name: (named) => this.#name(named), run: (action) => this.#run(action), back: () => this.#view('lists'), details: () => this.#view('details') });
    this.#details = new Details({
      ...shared,
      notice: (text) => this.#thread.notice(text),
      open: (dialog) => this.#open(dialog, true),
      close: () => this.#view('thread'),
      owner: (dialog) => {
        const owner = this.#desk.owner(dialog);
        return owner ? this.#name({ staff: owner }) : '';
      },
      name: (who) => this.#name(who),
    });
    this.element = h('div', { class: 'workplace', 'data-view': 'lists' }, this.#stale, this.#lists.element, this.#thread.element, this.#details.element, this.#live);
    this.#listen();
  }

  #listen() {
    const store = this.#store;
    store.on('changed', () => this.#update());
    store.on('arrived', ({ dialog, entries }) => {
      this.#desk.seen(dialog, false);
      const news = entries.filter(({ author, body }) => body && typeof author !== 'string' && 'customer' in author);
      if (news.length > 0 && this.#desk.mine(dialog)) {
        setText(this.#live, news.map(({ body }) => `${dialog.customer}: ${body ? plainText(body, this.#i18n) : ''}`).join('. '));
      }
      if (entries.some(({ line }) => line?.name === 'closed')) {
        // That list is built from the events, a little later than they are told.
        setTimeout(() => this.#lists.loadClosed(), CLOSED_LATER_MS);
      }
    });
    this.#client.on('welcome', () => this.#lists.loadClosed());
    this.#client.on('outcome', ({ id, command, outcome }) => {
      const message = 'customer' in command && 'message' in command.customer ? command.customer.message : null;
      if (message && message.body !== 'erased' && 'text' in message.body && outcome !== 'settled' && 'rejected' in outcome && LOST.has(outcome.rejected.code)) {
        store.outgoing.discard(id);
        this.#thread.restore(message.dialog, message.body.text);
        if (message.dialog === this.#selected) {
          this.#thread.notice(rejectionText(this.#i18n, outcome, (who) => this.#name(who)) ?? '');
        }
      }
    });
    document.addEventListener('keydown', (event) => this.#key(event));
    setInterval(() => this.#showStale(), 1_000);
  }

  #update() {
    this.#showStale();
    this.#openBegun();
    if (this.#selected !== null && this.#thread.dialog !== (this.#store.dialogs.get(this.#selected) ?? null)) {
      this.#show();
    }
    // The thread first: what is in sight there is read, and the lists count what is not.
    this.#thread.update();
    this.#lists.update();
    this.#details.update();
    const unread = this.#lists.unread;
    document.title = unread > 0 ? `(${unread}) ${this.#title}` : this.#title;
  }

  /** Says as of when the view is, whenever it may be old. */
  #showStale() {
    const { phase, asOf, ended, retryAt } = this.#client.state;
    const { t, exact } = this.#i18n;
    const stale = phase !== 'online';
    this.#stale.hidden = !stale;
    this.element.classList.toggle('is-stale', stale);
    if (!stale) {
      return;
    }
    if (phase === 'stopped') {
      setText(this.#stale, t(ended?.code === 4501 || ended?.code === 4503 ? 'stale.signIn' : 'stale.stopped', { code: ended?.code ?? 0 }));
    } else if (asOf === 0) {
      setText(this.#stale, t('widget.connecting'));
    } else {
      const again = retryAt && retryAt - Date.now() > 1_000 ? ` ${t('stale.again', { n: Math.ceil((retryAt - Date.now()) / 1_000) })}` : '';
      setText(this.#stale, t('stale.asOf', { time: exact(asOf) }) + again);
    }
  }

  /** @param {number} id @param {boolean} focus */
  #open(id, focus) {
    const stream = `dialog/${id}`;
    if (this.#looking && this.#looking !== stream) {
      const left = this.#store.dialogs.get(Number(this.#looking.split('/')[1]));
      // What became one's own meanwhile is followed by the server.
      if (!left || !this.#desk.mine(left)) {
        this.#client.unfollow(this.#looking);
      }
      this.#looking = null;
    }
    const own = this.#store.board.held(this.#desk.me).some(({ dialog }) => dialog === id);
    if (!own) {
      this.#looking = stream;
      this.#client.follow(stream);
    }
    this.#selected = id;
    this.#lists.selected = id;
    this.#show();
    this.#view('thread');
    if (focus && this.#thread.dialog && this.#desk.may(this.#thread.dialog).answer && matchMedia('(min-width: 760px)').matches) {
      this.#thread.focusAnswer();
    }
  }

  #show() {
    const dialog = this.#selected === null ? null : (this.#store.dialogs.get(this.#selected) ?? null);
    this.#thread.show(dialog);
    this.#details.show(dialog);
  }

  /** @param {'lists' | 'thread' | 'details'} view the column of a narrow window */
  #view(view) {
    this.element.dataset.view = view;
  }

  /** @param {Participant} who */
  #name(who) {
    const { t } = this.#i18n;
    if (who === 'bot' || who === 'system') {
      return t(who === 'bot' ? 'who.bot' : 'who.bank');
    }
    return 'staff' in who ? this.#store.board.nameOf(who.staff) : who.customer;
  }

  /** Waits for a command and says why it was not done. @param {Promise<unknown>} doing @returns {Promise<boolean>} whether it was */
  async #act(doing) {
    this.#thread.notice('');
    try {
      const outcome = /** @type {any} */ (await doing);
      const why = outcome ? rejectionText(this.#i18n, outcome, (who) => this.#name(who)) : null;
      // Who was quicker is said where the owner is said.
      this.#thread.notice(outcome?.rejected?.code === 'already_owned' ? '' : (why ?? ''));
      return why === null;
    } catch (error) {
      this.#thread.notice(failureText(this.#i18n, error));
      return false;
    }
  }

  /** @param {Action} action */
  async #run(action) {
    const dialog = this.#thread.dialog;
    if (!dialog || !this.#desk.online) {
      return;
    }
    const desk = this.#desk;
    const { board } = this.#store;
    switch (action) {
      case 'take':
        if (await this.#act(desk.take(dialog.id))) {
          this.#thread.focusAnswer();
        }
        return;
      case 'assign': {
        const to = await askAssign(this.#i18n, board, desk.owner(dialog));
        return to && void this.#act(desk.assign(dialog.id, to.operator, to.over));
      }
      case 'transfer': {
        const asked = await askTransfer(this.#i18n, board, desk.id, desk.me);
        return asked && void this.#act(desk.transfer(dialog, asked.to, asked.note));
      }
      case 'close': {
        const outcome = await askClose(this.#i18n);
        return outcome === null ? undefined : void this.#act(desk.close(dialog, outcome));
      }
      case 'return':
        if (await askSure(this.#i18n, this.#i18n.t('return.sure'), this.#i18n.t('action.return'))) {
          this.#act(desk.step(dialog, 'return_to_queue'));
        }
        return;
      case 'reopen':
        return void this.#act(desk.reopen(dialog));
      default:
        return void this.#act(desk.step(dialog, action === 'wrapUp' ? 'wrap_up' : action));
    }
  }

  async #begin() {
    const asked = await askBegin(this.#i18n, this.#store.board);
    if (!asked || !this.#desk.online) {
      return;
    }
    const had = new Set(this.#ownDialogs(asked.customer));
    if (await this.#act(this.#desk.begin(asked.customer, asked.channel, asked.queue))) {
      // The desk has granted; the dialog's number comes when the dialog holds.
      this.#begun = { customer: asked.customer, had };
      this.#openBegun();
    }
  }

  #openBegun() {
    const begun = this.#begun;
    const dialog = begun && this.#ownDialogs(begun.customer).find((id) => !begun.had.has(id));
    if (dialog) {
      this.#begun = null;
      this.#open(dialog, true);
    }
  }

  /** @param {string} customer @returns {number[]} */
  #ownDialogs(customer) {
    return this.#store.board.held(this.#desk.me).flatMap((grant) => (grant.customer === customer && grant.dialog !== null ? [grant.dialog] : []));
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (document.querySelector('dialog[open]')) {
      return;
    }
    const target = /** @type {HTMLElement} */ (event.target);
    const writing = target.matches('textarea, input, select');
    if (event.key === '?' && !writing) {
      event.preventDefault();
      showHelp(this.#i18n);
      return;
    }
    if (event.key === 'Escape' && writing) {
      this.#thread.focusMessages();
      return;
    }
    if (event.key === 'Escape') {
      this.#view(this.element.dataset.view === 'details' ? 'thread' : 'lists');
      return;
    }
    if (!event.altKey || event.ctrlKey || event.metaKey) {
      return;
    }
    const dialog = this.#thread.dialog;
    const may = dialog ? this.#desk.may(dialog) : null;
    // By place, not by letter: the layout may be Russian.
    const does = /** @type {Record<string, (() => void) | false | null | undefined>} */ ({
      ArrowDown: () => this.#step(1),
      ArrowUp: () => this.#step(-1),
      KeyT: may?.take && (() => this.#run('take')),
      KeyR: dialog && (() => this.#thread.focusAnswer()),
      KeyN: may?.note && (() => this.#thread.focusNote()),
      KeyH: may && (may.hold || may.resume) && (() => this.#run(may.hold ? 'hold' : 'resume')),
      KeyC: may?.close && (() => this.#run('close')),
      KeyS: () => this.#lists.focusSearch(),
    })[event.code];
    if (does) {
      event.preventDefault();
      does();
    }
  }

  /** @param {1 | -1} by */
  #step(by) {
    const next = this.#lists.beside(by);
    if (next !== null) {
      this.#open(next, true);
    }
  }
}
