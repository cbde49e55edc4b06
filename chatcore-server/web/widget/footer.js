// What a customer may do now, beside writing: ask for a person, end, rate, go on.

/** @import { I18n } from '../i18n/index.js' */
/** @import { Dialog } from '../model/dialog.js' */
/** @import { Conversation } from './conversation.js' */

import { fill, h } from '../ui/dom.js';
import { ratingForm } from './rating.js';

/** @typedef {{ i18n: I18n, conversation: Conversation, act: (doing: Promise<unknown>) => void, changed: () => void }} FooterOptions */

export class Footer {
  #options;
  #drawn = '';
  #ending = false;
  /** @type {number | null} */
  #dialog = null;
  element = h('div', { class: 'panel-actions' });

  /** @param {FooterOptions} options */
  constructor(options) {
    this.#options = options;
  }

  /** Draws anew only what changed: a rating under way must stay. @param {Dialog | null} dialog @returns {boolean} whether it was drawn */
  update(dialog) {
    if ((dialog?.id ?? null) !== this.#dialog) {
      this.#dialog = dialog?.id ?? null;
      this.#ending = false;
    }
    const rated = dialog !== null && dialog.score !== null;
    const wanted = `${dialog?.id} ${dialog?.phase} ${rated} ${this.#ending}`;
    if (wanted === this.#drawn) {
      return false;
    }
    this.#drawn = wanted;
    fill(this.element, ...this.#parts(dialog, rated));
    return true;
  }

  /** @param {Dialog | null} dialog @param {boolean} rated */
  #parts(dialog, rated) {
    const { t } = this.#options.i18n;
    if (!dialog) {
      return [h('p', { class: 'greeting' }, t('widget.greeting'))];
    }
    if (dialog.phase === 'closed' || dialog.phase === 'wrap_up') {
      return this.#ended(dialog, rated);
    }
    if (this.#ending) {
      return [h('div', { class: 'ask' }, h('span', {}, t('widget.endSure')), this.#button(t('yes'), () => this.#sure(true), 'danger'), this.#button(t('no'), () => this.#sure(false)))];
    }
    const { conversation, act, changed } = this.#options;
    const end = () => {
      this.#ending = true;
      changed();
    };
    const ask = dialog.phase === 'bot' ? this.#button(t('widget.person'), () => act(conversation.askPerson()), 'quiet strong') : null;
    return [h('div', { class: 'buttons' }, ask, this.#button(t('widget.end'), end, 'quiet'))];
  }

  /** @param {Dialog} dialog @param {boolean} rated */
  #ended(dialog, rated) {
    const { i18n, conversation, act } = this.#options;
    const { t } = i18n;
    const rate = rated
      ? h('p', { class: 'thanks', role: 'status' }, t('rate.thanks'))
      : ratingForm(i18n, (score, comment) => act(conversation.rate(score, comment)));
    const again = this.#button(t('widget.reopen'), () => act(conversation.reopen()));
    const anew = dialog.phase === 'closed' && this.#button(t('widget.new'), () => act(conversation.begin()), 'primary');
    return [rate, h('div', { class: 'buttons' }, again, anew)];
  }

  /** @param {boolean} yes */
  #sure(yes) {
    const { conversation, act, changed } = this.#options;
    this.#ending = false;
    if (yes) {
      act(conversation.end());
    }
    changed();
  }

  /** @param {string} text @param {() => void} act @param {string} [kind] */
  #button(text, act, kind = '') {
    return h('button', { type: 'button', class: kind, onclick: act }, text);
  }
}
