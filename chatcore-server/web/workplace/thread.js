// The middle column: one dialog, what may be done with it, and the answer.

/** @import { I18n, Key } from '../i18n/index.js' */
/** @import { Participant } from '../client/frames.js' */
/** @import { Dialog, Entry } from '../model/dialog.js' */
/** @import { Row } from '../model/rows.js' */
/** @import { ChatStore } from '../model/store.js' */
/** @import { View } from '../ui/message-view.js' */
/** @import { Desk } from './desk.js' */
/** @import { Drafts } from './drafts.js' */

import { rowsOf } from '../model/rows.js';
import { Composer } from '../ui/composer.js';
import { h, icon, setText } from '../ui/dom.js';
import { drawRow, plainText } from '../ui/message-view.js';
import { lineText } from '../ui/texts.js';
import { VirtualList } from '../ui/virtual-list.js';
import { TemplatePicker } from './templates.js';

/** @typedef {'take' | 'assign' | 'hold' | 'resume' | 'transfer' | 'return' | 'wrapUp' | 'close' | 'reopen'} Action */
/**
 * @typedef {{
 *   i18n: I18n, store: ChatStore, desk: Desk, drafts: Drafts,
 *   name: (who: Participant) => string,
 *   act: (doing: Promise<unknown>) => Promise<boolean>,
 *   run: (action: Action) => void,
 *   back: () => void,
 *   details: () => void,
 * }} ThreadOptions
 */

const ACTIONS = /** @type {const} */ (['take', 'assign', 'resume', 'hold', 'transfer', 'return', 'wrapUp', 'close', 'reopen']);

export class Thread {
  #options;
  /** @type {Dialog | null} */
  #dialog = null;
  #noting = false;
  /** @type {number | null} */
  #editing = null;
  /** @type {number | null} */
  #unreadAfter = null;
  /** The answer is to be written as soon as it may. */
  #eager = false;
  #view;
  #log;
  #list;
  #composer;
  #picker;
  #buttons;
  #modes;
  #title = h('h2', {});
  #facts = h('p', { class: 'facts' });
  #timer = h('span', { class: 'timer' });
  #owner = h('div', { class: 'ownership', role: 'status' });
  #notice = h('div', { class: 'notice', role: 'alert' });
  #typing = h('div', { class: 'typing' });
  #history = h('div', { class: 'history', role: 'status' });
  #empty;
  #main;
  #foot;
  #jump;
  element;

  /** @param {ThreadOptions} options */
  constructor(options) {
    this.#options = options;
    const { i18n } = options;
    const { t } = i18n;
    this.#view = this.#makeView();
    this.#log = h('div', { class: 'log', tabindex: 0, role: 'region', 'aria-label': t('message.list'), onscroll: () => this.#sawEnd() });
    this.#list = new VirtualList(this.#log, { draw: (/** @type {Row} */ row) => drawRow(row, this.#view), nearTop: () => this.#older() });
    this.#jump = h('button', { type: 'button', class: 'jump', hidden: true, 'aria-label': t('message.toEnd'), title: t('message.toEnd'), onclick: () => this.#list.toEnd() }, icon('down'));
    this.#picker = new TemplatePicker(i18n);
    this.#composer = new Composer({
      i18n,
      label: t('compose.answer'),
      placeholder: t('compose.answer'),
      send: (text) => this.#send(text),
      changed: (text) => this.#typed(text),
      cancel: () => this.#edit(null),
      key: (event) => this.#key(event),
    });
    this.#picker.composer = this.#composer;
    this.#buttons = Object.fromEntries(ACTIONS.map((action) => [action, this.#button(action)]));
    this.#modes = this.#makeModes();
    const back = h('button', { type: 'button', class: 'bare only-narrow', 'aria-label': t('thread.back'), onclick: options.back }, icon('left'));
    const details = h('button', { type: 'button', class: 'bare only-medium', 'aria-label': t('details.title'), title: t('details.title'), onclick: options.details }, icon('person'));
    this.#empty = h('p', { class: 'empty' }, t('thread.empty'));
    this.#foot = h('div', { class: 'foot' }, this.#owner, this.#typing, this.#notice, this.#picker.element, h('div', { class: 'write' }, this.#modes.element, this.#composer.element));
    this.#main = h(
      'div',
      { class: 'thread-main', hidden: true },
      h('header', { class: 'thread-head' }, back, h('div', { class: 'thread-title' }, this.#title, this.#facts), this.#timer, details),
      h('div', { class: 'bar' }, ...Object.values(this.#buttons)),
      this.#history,
      h('div', { class: 'body' }, this.#log, this.#jump),
      this.#foot,
    );
    this.element = h('main', { class: 'thread' }, this.#empty, this.#main);
    setInterval(() => this.#showTimer(), 1_000);
    document.addEventListener('visibilitychange', () => this.#sawEnd());
  }

  /** @returns {Dialog | null} */
  get dialog() {
    return this.#dialog;
  }

  get composer() {
    return this.#composer;
  }

  /** @param {Dialog | null} dialog */
  show(dialog) {
    this.#dialog = dialog;
    this.#editing = null;
    this.#composer.editing = false;
    this.#unreadAfter = null;
    this.#eager = false;
    setText(this.#notice, '');
    this.#mode(false);
    this.#list.restart();
    const me = this.#options.store.me;
    if (dialog && me && this.#options.desk.mine(dialog) && dialog.unread(me) > 0) {
      this.#unreadAfter = dialog.cursors.get(`staff:${this.#options.desk.me}`)?.read ?? 0;
    }
    this.update();
    this.#list.toEnd();
  }

  /** @param {string} text */
  notice(text) {
    setText(this.#notice, text);
  }

  /** Begins to write, now or as soon as the dialog is one's own. */
  focusAnswer() {
    this.#mode(false);
    this.#composer.focus();
    this.#eager = !this.#composer.field.matches(':focus');
  }

  focusNote() {
    this.#mode(true);
    this.#composer.focus();
  }

  /** Out of the field, where single keys mean something again. */
  focusMessages() {
    this.#log.focus();
  }

  /** The text on its way came back: it must not be lost. @param {number} dialog @param {string} text */
  restore(dialog, text) {
    const { drafts } = this.#options;
    const had = drafts.get(dialog);
    drafts.set(dialog, had && had !== text ? `${text}\n${had}` : text);
    if (this.#dialog?.id === dialog && !this.#noting && this.#editing === null) {
      this.#composer.value = drafts.get(dialog);
    }
  }

  update() {
    const dialog = this.#dialog;
    this.#empty.hidden = dialog !== null;
    this.#main.hidden = dialog === null;
    if (!dialog) {
      return;
    }
    const { store, desk, i18n } = this.#options;
    const me = store.me;
    setText(this.#title, dialog.customer || i18n.t('thread.loading'));
    const facts = [`#${dialog.id}`, dialog.channel, store.board.titleOf(dialog.queue), i18n.t(`phase.${desk.phase(dialog)}`)];
    setText(this.#facts, facts.filter(Boolean).join(' · '));
    this.#showActions(dialog);
    if (me) {
      this.#list.set(rowsOf(dialog, store.outgoing.of(dialog.id), { me, unreadAfter: this.#unreadAfter, editing: this.#editing }));
    }
    const typing = store.typing(dialog.id).map((who) => this.#options.name(who));
    setText(this.#typing, typing.length > 0 ? i18n.t('widget.typing', { name: typing.join(', ') }) : '');
    const failed = store.unreadable.has(dialog.id);
    setText(this.#history, failed ? i18n.t('widget.olderFailed') : !dialog.complete && store.isLoading(dialog.id) ? i18n.t('widget.older') : '');
    this.#showTimer();
    this.#sawEnd();
    const may = desk.may(dialog);
    this.#composer.held = !desk.online || !(this.#noting ? may.note : may.answer);
    if (this.#eager && may.answer) {
      this.focusAnswer();
    }
  }

  /** @param {Dialog} dialog */
  #showActions(dialog) {
    const { desk, drafts, i18n, name } = this.#options;
    const may = desk.may(dialog);
    const shown = { take: may.take, assign: may.assign, resume: may.resume, hold: may.hold, transfer: may.pass, return: may.pass, wrapUp: may.wrapUp, close: may.close, reopen: may.reopen };
    for (const action of ACTIONS) {
      this.#buttons[action].hidden = !shown[action];
      this.#buttons[action].disabled = !desk.online;
    }
    const ending = dialog.phase === 'wrap_up';
    this.#buttons.close.classList.toggle('primary', ending);
    this.#buttons.resume.classList.toggle('primary', !ending);
    const draft = drafts.get(dialog.id) !== '';
    this.#modes.note.hidden = !may.note;
    this.#modes.answer.hidden = !may.answer && !draft;
    if (this.#noting !== (may.note && (this.#noting || (!may.answer && !draft)))) {
      this.#mode(!this.#noting);
    }
    const write = /** @type {HTMLElement} */ (this.#composer.element.parentElement);
    write.hidden = !may.answer && !may.note && !draft;
    setText(this.#owner, this.#ownership(dialog, may, draft, i18n, name));
    this.#owner.classList.toggle('strong', draft && !may.answer);
  }

  /** @param {Dialog} dialog @param {ReturnType<Desk['may']>} may @param {boolean} draft @param {I18n} i18n @param {(who: Participant) => string} name */
  #ownership(dialog, may, draft, { t }, name) {
    const { desk } = this.#options;
    if (may.answer) {
      return '';
    }
    const owner = desk.owner(dialog);
    const kept = draft ? ` ${t('thread.draftKept')}` : '';
    if (owner === desk.me && dialog.phase === 'wrap_up') {
      return t('thread.wrapUp') + kept;
    }
    if (owner && owner !== desk.me) {
      return t('thread.hasIt', { name: name({ staff: owner }) }) + kept;
    }
    if (may.take) {
      return t('thread.waits') + kept;
    }
    return dialog.phase === 'closed' ? t('thread.closed') + kept : kept.trim();
  }

  #showTimer() {
    const dialog = this.#dialog;
    const since = dialog?.waitingSince ?? dialog?.entries.findLast(({ line }) => line?.name === 'assigned')?.at ?? dialog?.openedAt;
    const running = dialog && dialog.phase !== 'closed' && dialog.phase === this.#options.desk.phase(dialog) && since;
    setText(this.#timer, running ? this.#options.i18n.wait(Date.now() - since) : '');
  }

  /** @returns {View} */
  #makeView() {
    const { i18n, store, desk, name, act } = this.#options;
    return {
      i18n,
      name,
      line: (entry) => (entry.line?.name === 'wrap_up' ? i18n.t('line.wrapUpStaff') : lineText(i18n, entry, name, (queue) => store.board.titleOf(queue))),
      can: (entry) => {
        const dialog = this.#dialog;
        const own = dialog !== null && desk.may(dialog).answer && entry.kind === 'message' && typeof entry.author !== 'string' && 'staff' in entry.author && entry.author.staff === desk.me;
        const text = entry.body !== null && 'text' in entry.body;
        const resend = dialog !== null && desk.may(dialog).answer && text && entry.undelivered !== null;
        return { press: false, edit: own && text, resend, remove: own || (desk.removes && entry.kind === 'message' && dialog?.phase !== 'closed') };
      },
      quoted: (seq) => this.#dialog?.entry(seq) ?? null,
      press: () => {},
      edit: (entry) => this.#edit(entry),
      remove: (entry) => this.#dialog && act(desk.remove(this.#dialog, entry.seq)),
      resend: (entry) => {
        if (this.#dialog && desk.online && entry.body && 'text' in entry.body) {
          act(desk.answer(this.#dialog, entry.body.text));
        }
      },
      again: (sending) => {
        if (this.#dialog && desk.online && 'text' in sending.body) {
          store.outgoing.discard(sending.id);
          act(desk.answer(this.#dialog, sending.body.text));
        }
      },
      discard: (sending) => {
        store.outgoing.discard(sending.id);
        this.update();
      },
    };
  }

  /** @param {Action} action */
  #button(action) {
    const primary = action === 'take' || action === 'reopen' || action === 'resume';
    return h('button', { type: 'button', class: primary ? 'primary' : '', 'data-action': action, onclick: () => this.#options.run(action) }, this.#options.i18n.t(/** @type {Key} */ (`action.${action}`)));
  }

  #makeModes() {
    const { t } = this.#options.i18n;
    const answer = h('button', { type: 'button', class: 'mode', 'aria-pressed': 'true', onclick: () => this.focusAnswer() }, t('mode.answer'));
    const note = h('button', { type: 'button', class: 'mode', 'aria-pressed': 'false', onclick: () => this.focusNote() }, t('mode.note'));
    return { answer, note, element: h('div', { class: 'modes', role: 'group', 'aria-label': t('mode.title') }, answer, note) };
  }

  /** @param {boolean} noting */
  #mode(noting) {
    const { t } = this.#options.i18n;
    const dialog = this.#dialog;
    this.#noting = noting;
    this.#modes.answer.setAttribute('aria-pressed', String(!noting));
    this.#modes.note.setAttribute('aria-pressed', String(noting));
    this.#foot.classList.toggle('noting', noting);
    this.#composer.field.placeholder = t(noting ? 'compose.note' : 'compose.answer');
    this.#composer.field.setAttribute('aria-label', t(noting ? 'compose.note' : 'compose.answer'));
    if (dialog && this.#editing === null) {
      // A note begun is not kept; an answer begun is.
      this.#composer.value = noting ? '' : this.#options.drafts.get(dialog.id);
      this.#composer.held = !this.#options.desk.online || !(noting ? this.#options.desk.may(dialog).note : this.#options.desk.may(dialog).answer);
    }
  }

  /** @param {string} text */
  #send(text) {
    const { desk, drafts, act } = this.#options;
    const dialog = this.#dialog;
    if (!dialog || !desk.online) {
      return;
    }
    setText(this.#notice, '');
    if (this.#editing !== null) {
      const message = this.#editing;
      this.#edit(null);
      act(desk.edit(dialog, message, text));
    } else if (this.#noting) {
      this.#composer.value = '';
      act(desk.note(dialog, text)).then((done) => done || this.#giveBack(dialog, text));
    } else {
      this.#composer.value = '';
      drafts.set(dialog.id, '');
      desk.answer(dialog, text);
      this.#list.toEnd();
      this.update();
    }
  }

  /** A note that was not taken goes back to where it was written. @param {Dialog} dialog @param {string} text */
  #giveBack(dialog, text) {
    if (this.#dialog === dialog && this.#noting && this.#composer.value === '') {
      this.#composer.value = text;
    }
  }

  /** @param {string} text */
  #typed(text) {
    this.#picker.update();
    const dialog = this.#dialog;
    if (dialog && !this.#noting && this.#editing === null) {
      this.#options.drafts.set(dialog.id, text);
      if (this.#options.desk.may(dialog).answer) {
        this.#options.store.client.typing(dialog.id);
      }
    }
  }

  /** @param {Entry | null} entry */
  #edit(entry) {
    const dialog = this.#dialog;
    if (!dialog || (!entry && this.#editing === null)) {
      return;
    }
    this.#mode(false);
    this.#editing = entry?.seq ?? null;
    this.#composer.editing = entry !== null;
    this.#composer.value = entry?.body ? plainText(entry.body, this.#options.i18n) : this.#options.drafts.get(dialog.id);
    this.#composer.focus();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (this.#picker.key(event)) {
      return true;
    }
    if (event.key === 'Enter' && !event.shiftKey && !this.#options.desk.online) {
      event.preventDefault();
      setText(this.#notice, this.#options.i18n.t('thread.waitsForConnection'));
      return true;
    }
    if (event.key === 'ArrowUp' && !event.altKey && this.#composer.value === '' && !this.#noting && this.#editing === null) {
      const last = this.#dialog?.entries.findLast((entry) => this.#view.can(entry).edit && !entry.deletedBy);
      if (last) {
        event.preventDefault();
        this.#edit(last);
        return true;
      }
    }
    return false;
  }

  #older() {
    if (this.#dialog) {
      this.#options.store.older(this.#dialog);
    }
  }

  #sawEnd() {
    const dialog = this.#dialog;
    this.#jump.hidden = this.#list.atEnd;
    const inSight = dialog !== null && !document.hidden && this.#list.atEnd && this.#log.clientHeight > 0;
    const { desk, store } = this.#options;
    if (dialog && store.me && desk.mine(dialog)) {
      desk.seen(dialog, inSight);
      const had = dialog.cursors.get(`staff:${desk.me}`)?.read ?? 0;
      if (inSight && had < dialog.position) {
        dialog.moved([{ dialog: dialog.id, participant: store.me, delivered: dialog.position, read: dialog.position }]);
      }
    }
  }
}
