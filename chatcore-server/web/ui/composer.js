// Where a message is written: grows with its text, sends on Enter, breaks the line on Shift+Enter.

/** @import { I18n } from '../i18n/index.js' */

import { h, icon, setText } from './dom.js';

/** The protocol's limit, in characters. */
const CHARS_MAX = 4_000;

/**
 * @typedef {{
 *   i18n: I18n,
 *   send: (text: string) => void,
 *   changed: (text: string) => void,
 *   cancel?: () => void,
 *   key?: (event: KeyboardEvent) => boolean,
 *   placeholder?: string,
 *   label?: string,
 * }} ComposerOptions
 */

export class Composer {
  #options;
  #field;
  /** Has the same text, out of sight: measuring the field itself would make it jump, and the messages above with it. */
  #sizer = h('textarea', { class: 'field sizer', rows: 1, tabindex: -1, 'aria-hidden': 'true', readonly: true });
  #send;
  #notice = h('div', { class: 'composer-notice' });
  #edit;
  #held = false;
  element;

  /** @param {ComposerOptions} options `key` sees keys first and says whether it took one */
  constructor(options) {
    const { t } = options.i18n;
    this.#options = options;
    this.#field = h('textarea', {
      class: 'field',
      rows: 1,
      'aria-label': options.label ?? t('compose.label'),
      placeholder: options.placeholder ?? t('compose.placeholder'),
      autocomplete: 'off',
      onkeydown: (/** @type {KeyboardEvent} */ event) => this.#pressed(event),
      oninput: () => this.#typed(),
    });
    this.#send = h(
      'button',
      { type: 'button', class: 'send', 'aria-label': t('compose.send'), title: t('compose.send'), onclick: () => this.submit() },
      icon('send'),
    );
    const cancel = h('button', { type: 'button', class: 'link', onclick: () => options.cancel?.() }, t('compose.cancel'));
    this.#edit = h('div', { class: 'composer-edit', hidden: true }, icon('edit'), h('span', {}, t('compose.editing')), cancel);
    this.element = h('div', { class: 'composer' }, this.#edit, h('div', { class: 'composer-row' }, h('div', { class: 'field-box' }, this.#field, this.#sizer), this.#send), this.#notice);
    this.#update();
    // Until it is in the document, and whenever its width changes, nothing can be measured.
    new ResizeObserver(() => this.#update()).observe(this.element);
  }

  get value() {
    return this.#field.value;
  }

  set value(text) {
    if (this.#field.value !== text) {
      this.#field.value = text;
      this.#update();
    }
  }

  get field() {
    return this.#field;
  }

  /** Whether a message is being edited rather than written. @param {boolean} on */
  set editing(on) {
    this.#edit.hidden = !on;
    const label = this.#options.i18n.t(on ? 'compose.save' : 'compose.send');
    this.#send.setAttribute('aria-label', label);
    this.#send.title = label;
  }

  /** Text may be written but not sent. @param {boolean} on */
  set held(on) {
    this.#held = on;
    this.#update();
  }

  focus() {
    this.#field.focus();
  }

  submit() {
    const text = this.#field.value.trim();
    if (text !== '' && !this.#held && excess(text) <= 0) {
      this.#options.send(text);
    }
  }

  /** Puts text in place of a part, the cursor after it. @param {string} text @param {number} from @param {number} to */
  replace(text, from, to) {
    this.#field.setRangeText(text, from, to, 'end');
    this.#typed();
  }

  #typed() {
    this.#update();
    this.#options.changed(this.#field.value);
  }

  #update() {
    const over = excess(this.#field.value);
    this.#send.disabled = this.#held || over > 0 || this.#field.value.trim() === '';
    setText(this.#notice, over > 0 ? this.#options.i18n.t('compose.tooLong', { n: over }) : '');
    this.#sizer.value = this.#field.value;
    this.#field.style.height = `${this.#sizer.scrollHeight}px`;
  }

  /** @param {KeyboardEvent} event */
  #pressed(event) {
    if (event.isComposing || this.#options.key?.(event)) {
      return;
    }
    if (event.key === 'Enter' && !event.shiftKey && !event.altKey && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      this.submit();
    } else if (event.key === 'Escape' && !this.#edit.hidden) {
      event.preventDefault();
      event.stopPropagation();
      this.#options.cancel?.();
    }
  }
}

/** @param {string} text */
const excess = (text) => (text.length <= CHARS_MAX ? 0 : [...text].length - CHARS_MAX);
