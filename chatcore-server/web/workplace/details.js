// The right column: who the customer is, what the dialog is about, what was before.

/** @import { I18n } from '../i18n/index.js' */
/** @import { Participant } from '../client/frames.js' */
/** @import { Dialog } from '../model/dialog.js' */
/** @import { ChatStore } from '../model/store.js' */
/** @import { Desk } from './desk.js' */

import { h, keyed, setText } from '../ui/dom.js';
import { failureText, labelText, outcomeText } from '../ui/texts.js';
import { About } from './about.js';
import { labelOf } from './desk.js';

const TOPICS = /** @type {const} */ (['cards', 'payments', 'loans', 'savings', 'app', 'other']);
const TAGS = /** @type {const} */ (['complaint', 'fraud', 'call-back', 'vip']);

/** @typedef {{ dialog: number, customer: string, at: number, phase?: string | null, topic?: string | null, outcome?: string | null, score?: number | null }} Past */
/** @typedef {{ i18n: I18n, store: ChatStore, desk: Desk, act: (doing: Promise<unknown>) => Promise<boolean>, notice: (text: string) => void, open: (dialog: number) => void, close: () => void, owner: (dialog: Dialog) => string, name: (who: Participant) => string }} DetailsOptions */

/** Whether the customer is here, in words. @param {I18n} i18n @param {Dialog} dialog */
function presenceText({ t, stamp }, { presence }) {
  if (presence === null || presence === 'here') {
    return presence === null ? '' : t('presence.here');
  }
  const { since } = presence.away;
  return since === null || since === undefined ? t('presence.away') : t('presence.awaySince', { time: stamp(since) });
}

export class Details {
  #options;
  /** @type {Dialog | null} */
  #dialog = null;
  #customer = '';
  /** @type {Past[]} */
  #past = [];
  #who = h('h2', {});
  #facts = h('dl', { class: 'pairs' });
  #tags = h('div', { class: 'tags' });
  #topic;
  #tagField;
  #pastList = h('ul', { class: 'past' });
  #pastState = h('p', { class: 'muted' });
  #form;
  #about;
  element;

  /** @param {DetailsOptions} options */
  constructor(options) {
    this.#options = options;
    this.#about = new About(options);
    const { t } = options.i18n;
    const list = (/** @type {string} */ id, /** @type {readonly string[]} */ labels) => h('datalist', { id }, ...labels.map((label) => h('option', { value: label }, labelText(options.i18n, label))));
    this.#topic = h('input', { class: 'field', list: 'topics', maxlength: 64, onchange: () => this.#setTopic() });
    this.#tagField = h('input', { class: 'field', list: 'tag-names', maxlength: 64, placeholder: t('details.addTag'), 'aria-label': t('details.addTag'), onkeydown: (/** @type {KeyboardEvent} */ event) => event.key === 'Enter' && this.#addTag(), onchange: () => this.#addTag() });
    this.#form = h(
      'fieldset',
      {},
      h('label', { class: 'labelled' }, h('span', {}, t('details.topic')), this.#topic),
      h('div', { class: 'labelled' }, h('span', {}, t('details.tags')), this.#tags, this.#tagField),
    );
    const close = h('button', { type: 'button', class: 'link only-overlay', onclick: options.close }, t('thread.back'));
    this.element = h(
      'aside',
      { class: 'details', 'aria-label': t('details.title') },
      close,
      h('div', { class: 'card-box' }, this.#who, this.#facts),
      this.#about.element,
      h('div', { class: 'card-box' }, h('h3', {}, t('details.dialog')), this.#form, list('topics', TOPICS), list('tag-names', TAGS)),
      h('div', { class: 'card-box' }, h('h3', {}, t('details.past')), this.#pastList, this.#pastState),
    );
  }

  /** @param {Dialog | null} dialog */
  show(dialog) {
    this.#dialog = dialog;
    this.#about.show(dialog);
    this.#tagField.value = '';
    this.update();
  }

  update() {
    const dialog = this.#dialog;
    this.element.hidden = dialog === null;
    if (!dialog) {
      return;
    }
    const { i18n, store, desk } = this.#options;
    const { t } = i18n;
    if (dialog.customer && dialog.customer !== this.#customer) {
      this.#customer = dialog.customer;
      this.#loadPast();
    }
    setText(this.#who, dialog.customer);
    const facts = /** @type {[string, string][]} */ ([
      [t('details.presence'), presenceText(i18n, dialog)],
      [t('details.assurance'), dialog.assurance ? t(`assurance.${dialog.assurance}`) : ''],
      [t('details.channel'), dialog.channel],
      [t('details.number'), `#${dialog.id}`],
      [t('details.queue'), store.board.titleOf(dialog.queue)],
      [t('details.phase'), t(`phase.${desk.phase(dialog)}`)],
      [t('details.owner'), this.#options.owner(dialog)],
      [t('details.began'), dialog.openedAt ? `${i18n.dayName(dialog.openedAt)}, ${i18n.time(dialog.openedAt)}` : ''],
      [t('details.outcome'), dialog.outcome ? outcomeText(i18n, dialog.outcome) : ''],
      [t('details.score'), dialog.score ? t('rate.score', { n: dialog.score }) : ''],
    ]).filter(([, value]) => value);
    keyed(this.#facts, facts, { key: ([label]) => label, version: ([, value]) => value, draw: ([label, value]) => h('div', {}, h('dt', {}, label), h('dd', {}, value)) });
    const may = desk.may(dialog).label && desk.online;
    /** @type {HTMLFieldSetElement} */ (this.#form).disabled = !may;
    if (document.activeElement !== this.#topic) {
      this.#topic.value = dialog.topic ?? '';
    }
    keyed(this.#tags, dialog.tags, { key: (tag) => tag, version: () => String(may), draw: (tag) => this.#tag(tag) });
    this.#about.update();
    keyed(this.#pastList, this.#past, { key: ({ dialog: id }) => String(id), version: (past) => JSON.stringify([past, past.dialog === dialog.id, store.dialogs.get(past.dialog)?.phase]), draw: (past) => this.#pastRow(past) });
  }

  /** @param {string} tag */
  #tag(tag) {
    const { i18n } = this.#options;
    const remove = h('button', { type: 'button', class: 'bare', 'aria-label': i18n.t('details.removeTag', { tag }), onclick: () => this.#setTags((this.#dialog?.tags ?? []).filter((other) => other !== tag)) }, '×');
    return h('span', { class: 'tag' }, labelText(i18n, tag), remove);
  }

  /** @param {Past} past */
  #pastRow({ dialog, at, phase, topic, outcome, score }) {
    const { i18n, open, store, desk } = this.#options;
    // A list is made now and then; what is followed is known better.
    const known = store.dialogs.get(dialog);
    const now = known ? desk.phase(known) : phase;
    const facts = [topic && labelText(i18n, topic), outcome ? outcomeText(i18n, outcome) : now && i18n.known(`phase.${now}`), score && i18n.t('rate.score', { n: score })];
    const current = dialog === this.#dialog?.id;
    return h(
      'li',
      {},
      h('button', { type: 'button', class: `dialog${current ? ' current' : ''}`, disabled: current, onclick: () => open(dialog) }, h('span', { class: 'who' }, `#${dialog}`), h('span', { class: 'age' }, i18n.stamp(at)), h('span', { class: 'snippet' }, facts.filter(Boolean).join(' · '))),
    );
  }

  async #loadPast() {
    const { store, i18n } = this.#options;
    const customer = this.#customer;
    this.#past = [];
    setText(this.#pastState, i18n.t('details.loading'));
    try {
      const { dialogs } = await store.client.get(`/api/customers/${encodeURIComponent(customer)}/dialogs?limit=20`);
      if (customer === this.#customer) {
        this.#past = dialogs;
        setText(this.#pastState, dialogs.length === 0 ? i18n.t('details.none') : '');
        this.update();
      }
    } catch (error) {
      if (customer === this.#customer) {
        setText(this.#pastState, failureText(i18n, error));
        this.#customer = '';
      }
    }
  }

  #setTopic() {
    const { act, desk, notice, i18n } = this.#options;
    const dialog = this.#dialog;
    const topic = labelOf(this.#topic.value);
    if (!dialog || topic === (dialog.topic ?? '')) {
      return;
    }
    if (this.#topic.value.trim() !== '' && topic === '') {
      notice(i18n.t('details.latin'));
      return;
    }
    act(desk.topic(dialog, topic || null));
  }

  #addTag() {
    const { notice, i18n } = this.#options;
    const text = this.#tagField.value.trim();
    const tag = labelOf(text);
    if (text !== '' && tag === '') {
      notice(i18n.t('details.latin'));
    } else if (tag !== '' && this.#dialog && !this.#dialog.tags.includes(tag)) {
      this.#tagField.value = '';
      this.#setTags([...this.#dialog.tags, tag]);
    }
  }

  /** @param {string[]} tags */
  #setTags(tags) {
    const { act, desk } = this.#options;
    if (this.#dialog) {
      act(desk.tag(this.#dialog, tags));
    }
  }
}
