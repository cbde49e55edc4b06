// Ready answers, offered where a `/` begins the text or a word.

/** @import { I18n, Key } from '../i18n/index.js' */
/** @import { Composer } from '../ui/composer.js' */

import { h } from '../ui/dom.js';

const NAMES = /** @type {const} */ (['hello', 'wait', 'details', 'thanks', 'bye']);

/** @param {I18n} i18n @returns {{ name: string, text: string }[]} */
export function templates({ t }) {
  return NAMES.map((name) => ({ name: t(/** @type {Key} */ (`template.${name}`)), text: t(/** @type {Key} */ (`template.${name}.text`)) }));
}

/** What follows a `/` before the cursor. @param {string} text @param {number} cursor @returns {{ from: number, word: string } | null} */
export function slashAt(text, cursor) {
  const found = /(?:^|\s)\/(\S*)$/u.exec(text.slice(0, cursor));
  return found ? { from: cursor - found[1].length - 1, word: found[1].toLowerCase() } : null;
}

export class TemplatePicker {
  #all;
  #chosen = 0;
  /** @type {{ name: string, text: string }[]} */
  #shown = [];
  /** @type {Composer | null} */
  composer = null;
  element;

  /** @param {I18n} i18n */
  constructor(i18n) {
    this.#all = templates(i18n);
    this.element = h('ul', { class: 'templates', role: 'listbox', id: 'templates', 'aria-label': i18n.t('template.title'), hidden: true });
  }

  get open() {
    return !this.element.hidden;
  }

  update() {
    const slash = this.#slash();
    this.#shown = slash ? this.#all.filter(({ name, text }) => `${name} ${text}`.toLowerCase().includes(slash.word)) : [];
    this.#chosen = Math.min(this.#chosen, Math.max(0, this.#shown.length - 1));
    this.element.hidden = this.#shown.length === 0;
    this.element.replaceChildren(
      ...this.#shown.map(({ name, text }, index) =>
        h(
          'li',
          { role: 'option', id: `template-${index}`, 'aria-selected': String(index === this.#chosen), onmousedown: (/** @type {Event} */ event) => this.#pick(event, index) },
          h('strong', {}, `/${name}`),
          h('span', {}, text),
        ),
      ),
    );
    const field = this.composer?.field;
    field?.setAttribute('aria-controls', 'templates');
    if (this.open) {
      field?.setAttribute('aria-activedescendant', `template-${this.#chosen}`);
    } else {
      field?.removeAttribute('aria-activedescendant');
    }
  }

  /** @param {KeyboardEvent} event @returns {boolean} whether the key was for the list */
  key(event) {
    if (!this.open) {
      return false;
    }
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    if (step !== 0 && !event.altKey) {
      event.preventDefault();
      this.#chosen = (this.#chosen + step + this.#shown.length) % this.#shown.length;
      this.update();
      return true;
    }
    if (event.key === 'Enter' || event.key === 'Tab') {
      this.#pick(event, this.#chosen);
      return true;
    }
    if (event.key === 'Escape') {
      event.preventDefault();
      event.stopPropagation();
      this.element.hidden = true;
      return true;
    }
    return false;
  }

  /** @param {Event} event @param {number} index */
  #pick(event, index) {
    event.preventDefault();
    const slash = this.#slash();
    if (slash && this.composer) {
      this.composer.replace(this.#shown[index].text, slash.from, this.composer.field.selectionStart);
    }
    this.element.hidden = true;
  }

  #slash() {
    const field = this.composer?.field;
    return field ? slashAt(field.value, field.selectionStart) : null;
  }
}
