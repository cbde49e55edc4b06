// How a conversation was: five stars and a word.

/** @import { I18n } from '../i18n/index.js' */

import { h, icon } from '../ui/dom.js';

/**
 * @param {I18n} i18n
 * @param {(score: number, comment: string) => void} rate
 */
export function ratingForm(i18n, rate) {
  const { t } = i18n;
  const comment = h('textarea', { class: 'field', rows: 2, 'aria-label': t('rate.comment'), placeholder: t('rate.comment') });
  const send = h('button', { type: 'submit', class: 'primary', disabled: true }, t('rate.send'));
  const more = h('div', { class: 'rating-more', hidden: true }, comment, send);
  const stars = [1, 2, 3, 4, 5].map((score) => {
    const input = h('input', { type: 'radio', name: 'score', value: score, 'aria-label': t('rate.score', { n: score }) });
    return h('label', { class: 'star' }, input, icon('star'));
  });
  const chosen = () => Number(new FormData(form).get('score') ?? 0);
  const form = h(
    'form',
    {
      class: 'rating',
      onchange: () => {
        stars.forEach((star, index) => star.classList.toggle('lit', index < chosen()));
        more.hidden = false;
        send.disabled = chosen() === 0;
      },
      onsubmit: (/** @type {SubmitEvent} */ event) => {
        event.preventDefault();
        if (chosen() > 0) {
          rate(chosen(), comment.value.trim());
        }
      },
    },
    h('fieldset', {}, h('legend', {}, t('rate.title')), h('div', { class: 'stars' }, ...stars)),
    more,
  );
  return form;
}
