// What staff keep about the customer: the same beside each of their dialogs, never shown to them.

/** @import { I18n } from '../i18n/index.js' */
/** @import { Participant } from '../client/frames.js' */
/** @import { Dialog } from '../model/dialog.js' */
/** @import { Note } from '../model/notes.js' */
/** @import { ChatStore } from '../model/store.js' */
/** @import { Desk } from './desk.js' */

import { h, icon, keyed, setText } from '../ui/dom.js';
import { failureText } from '../ui/texts.js';

/** @typedef {{ i18n: I18n, store: ChatStore, desk: Desk, act: (doing: Promise<unknown>) => Promise<boolean>, name: (who: Participant) => string }} AboutOptions */

/** The server's limits. */
const CHARS_MAX = 2_000;
const NOTES_MAX = 32;

export class About {
  #options;
  /** @type {Dialog | null} */
  #dialog = null;
  /** What was begun and not kept, by customer. @type {Map<string, string>} */
  #drafts = new Map();
  #list = h('ul', { class: 'notes' });
  #state = h('p', { class: 'muted' });
  #field;
  #add;
  #form;
  element;

  /** @param {AboutOptions} options */
  constructor(options) {
    this.#options = options;
    const { t } = options.i18n;
    this.#field = h('textarea', { class: 'field', rows: 2, maxlength: CHARS_MAX, placeholder: t('about.placeholder'), 'aria-label': t('about.placeholder'), oninput: () => this.#typed(), onkeydown: (/** @type {KeyboardEvent} */ event) => this.#key(event) });
    this.#add = h('button', { type: 'button', onclick: () => this.#keep() }, t('about.add'));
    this.#form = h('fieldset', {}, this.#field, this.#add);
    this.element = h('section', { class: 'card-box about', 'aria-label': t('about.title') }, h('h3', {}, t('about.title')), this.#list, this.#state, this.#form);
    options.store.client.on('welcome', () => this.#read());
    options.store.client.on('reset', ({ stream }) => stream === `dialog/${this.#dialog?.id}` && this.#read());
  }

  /** @param {Dialog | null} dialog */
  show(dialog) {
    const other = dialog?.id !== this.#dialog?.id;
    this.#dialog = dialog;
    if (other) {
      this.#field.value = this.#drafts.get(dialog?.customer ?? '') ?? '';
      this.#read();
    }
  }

  update() {
    const dialog = this.#dialog;
    if (!dialog) {
      return;
    }
    const { desk, i18n } = this.#options;
    const may = desk.may(dialog).note && desk.online;
    const notes = dialog.notes.all;
    /** @type {HTMLFieldSetElement} */ (this.#form).disabled = !may || notes.length >= NOTES_MAX;
    this.#add.disabled = this.#field.value.trim() === '';
    keyed(this.#list, notes, { key: ({ note }) => String(note), version: (note) => JSON.stringify([note.body, may, i18n.dayName(note.at)]), draw: (note) => this.#note(note, may) });
  }

  /** @param {Note} note @param {boolean} may */
  #note({ note, at, author, body }, may) {
    const { i18n, desk, name } = this.#options;
    const own = typeof author !== 'string' && 'staff' in author && author.staff === desk.me;
    const label = i18n.t('about.remove');
    const remove = may && (own || desk.removes) && h('button', { type: 'button', class: 'bare', 'aria-label': label, title: label, onclick: () => this.#remove(note) }, icon('trash'));
    const text = body !== 'erased' && 'text' in body ? body.text : i18n.t('message.erased');
    return h('li', { 'data-note': note }, h('p', { class: 'text' }, text), h('div', { class: 'meta' }, h('span', {}, `${name(author)} · ${i18n.stamp(at)}`), remove));
  }

  /** Reads them, and again whenever something may have been missed. */
  async #read() {
    const { store, i18n } = this.#options;
    const dialog = this.#dialog;
    if (!dialog || !store.client.state.online) {
      return;
    }
    const asked = dialog.notes.known;
    try {
      const { notes } = await store.client.get(`/api/dialogs/${dialog.id}/notes`);
      dialog.notes.read(notes, asked);
      this.#say(dialog, '');
    } catch (error) {
      this.#say(dialog, failureText(i18n, error));
    }
    this.update();
  }

  /** @param {Dialog} dialog @param {string} text */
  #say(dialog, text) {
    if (dialog === this.#dialog) {
      setText(this.#state, text);
    }
  }

  #typed() {
    this.#drafts.set(this.#dialog?.customer ?? '', this.#field.value);
    this.update();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      this.#keep();
    }
  }

  async #keep() {
    const { act, desk } = this.#options;
    const dialog = this.#dialog;
    const text = this.#field.value.trim();
    if (!dialog || text === '' || !desk.online) {
      return;
    }
    if (await act(desk.noteCustomer(dialog, text))) {
      this.#drafts.delete(dialog.customer);
      if (dialog.customer === this.#dialog?.customer && this.#field.value.trim() === text) {
        this.#field.value = '';
      }
      this.update();
    }
  }

  /** @param {number} note */
  #remove(note) {
    const { act, desk } = this.#options;
    if (this.#dialog && desk.online) {
      act(desk.removeCustomerNote(this.#dialog, note));
    }
  }
}
