// Questions in a window of their own: to whom, how it ended, with whom, and the help.

/** @import { I18n, Key } from '../i18n/index.js' */
/** @import { TransferTo } from '../client/frames.js' */
/** @import { Board } from '../model/board.js' */

import { h, icon } from '../ui/dom.js';

export const OUTCOMES = /** @type {const} */ (['solved', 'not_solved', 'no_answer', 'spam']);
const KEYS = /** @type {const} */ (['next', 'rows', 'take', 'answer', 'note', 'hold', 'close', 'search', 'templates', 'edit', 'back']);
const KEY_NAMES = { next: 'Alt ↓ ↑', rows: '↓ ↑ Home End', take: 'Alt T', answer: 'Alt R', note: 'Alt N', hold: 'Alt H', close: 'Alt C', search: 'Alt S', templates: '/', edit: '↑', back: 'Esc' };

/**
 * Asks, and answers with what was filled in; null when it was left.
 *
 * @param {{ i18n: I18n, title: string, submit?: string, danger?: boolean }} head
 * @param {...HTMLElement} fields
 * @returns {Promise<FormData | null>}
 */
export function ask({ i18n, title, submit, danger = false }, ...fields) {
  const { t } = i18n;
  const form = h(
    'form',
    { method: 'dialog' },
    h('header', {}, h('h2', {}, title), h('button', { type: 'submit', value: 'no', class: 'bare', formnovalidate: true, 'aria-label': t('compose.cancel') }, icon('close'))),
    ...fields,
    submit && h('footer', {}, h('button', { type: 'submit', value: 'no', formnovalidate: true }, t('compose.cancel')), h('button', { type: 'submit', value: 'yes', class: danger ? 'danger' : 'primary' }, submit)),
  );
  const window = h('dialog', { class: 'ask', 'aria-label': title }, form);
  document.body.append(window);
  window.showModal();
  /** @type {HTMLElement | null} */ (form.querySelector('select, input, textarea, footer .primary, footer .danger'))?.focus();
  // Enter anywhere means yes, not the first button in the form.
  form.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && !(event.target instanceof HTMLButtonElement) && !(event.target instanceof HTMLTextAreaElement)) {
      event.preventDefault();
      form.requestSubmit(/** @type {HTMLElement | null} */ (form.querySelector('footer [value=yes]')));
    }
  });
  return new Promise((resolve) => {
    window.addEventListener('close', () => {
      window.remove();
      resolve(window.returnValue === 'yes' ? new FormData(form) : null);
    });
  });
}

/** @param {string} label @param {HTMLElement} field */
function labelled(label, field) {
  return h('label', { class: 'labelled' }, h('span', {}, label), field);
}

/** @param {string} name @param {[string, string][]} options value and text */
function select(name, options) {
  return h('select', { name, class: 'field' }, ...options.map(([value, text]) => h('option', { value }, text)));
}

/** Operators that could get a dialog, with their load. @param {I18n} i18n @param {Board} board @param {string} [but] */
function operatorOptions({ t }, board, but) {
  return Object.entries(board.config.operators)
    .filter(([id]) => id !== but)
    .map(([id, { name, capacity }]) => {
      const state = board.operators.get(id);
      const status = state?.presence === 'online' ? state.status : 'away';
      const text = t('assign.option', { name: name || id, status: t(`status.${status}`), n: board.load(id), capacity });
      return /** @type {[string, string]} */ ([id, text]);
    });
}

/** @param {I18n} i18n @param {Board} board @param {string | null} owner @returns {Promise<{ operator: string, over: boolean } | null>} */
export async function askAssign(i18n, board, owner) {
  const { t } = i18n;
  const over = h('label', { class: 'checked' }, h('input', { type: 'checkbox', name: 'over' }), t('assign.over'));
  const options = operatorOptions(i18n, board, owner ?? undefined);
  const answer = await ask({ i18n, title: t('assign.title'), submit: t('action.assign') }, labelled(t('assign.operator'), select('operator', options)), over);
  return answer && { operator: String(answer.get('operator')), over: answer.get('over') === 'on' };
}

/** @param {I18n} i18n @param {Board} board @param {string} desk @param {string} me @returns {Promise<{ to: TransferTo, note: string } | null>} */
export async function askTransfer(i18n, board, desk, me) {
  const { t } = i18n;
  const queues = Object.keys(board.config.queues).map((id) => /** @type {[string, string]} */ ([`queue:${id}`, t('transfer.queue', { queue: board.titleOf(id) })]));
  const people = operatorOptions(i18n, board, me).map(([id, text]) => /** @type {[string, string]} */ ([`operator:${id}`, text]));
  const note = h('textarea', { name: 'note', class: 'field', rows: 3, maxlength: 4000 });
  const answer = await ask({ i18n, title: t('transfer.title'), submit: t('action.transfer') }, labelled(t('transfer.to'), select('to', [...people, ...queues])), labelled(t('transfer.note'), note));
  if (!answer) {
    return null;
  }
  const chosen = String(answer.get('to'));
  const id = chosen.slice(chosen.indexOf(':') + 1);
  /** @type {TransferTo} */
  const to = chosen.startsWith('queue:') ? { queue: { desk, queue: id } } : { operator: { desk, operator: id, queue: null } };
  return { to, note: String(answer.get('note')).trim() };
}

/** @param {I18n} i18n @returns {Promise<string | null>} */
export async function askClose(i18n) {
  const { t } = i18n;
  const options = OUTCOMES.map((outcome) => /** @type {[string, string]} */ ([outcome, t(/** @type {Key} */ (`outcome.${outcome}`))]));
  const answer = await ask({ i18n, title: t('close.title'), submit: t('action.close') }, labelled(t('close.outcome'), select('outcome', options)));
  return answer && String(answer.get('outcome'));
}

/** @param {I18n} i18n @param {Board} board @returns {Promise<{ customer: string, channel: string, queue: string } | null>} */
export async function askBegin(i18n, board) {
  const { t } = i18n;
  const customer = h('input', { name: 'customer', class: 'field', required: true, maxlength: 64, pattern: '[A-Za-z0-9._:@\\-]+', autocomplete: 'off' });
  const channel = h('input', { name: 'channel', class: 'field', required: true, maxlength: 64, value: 'web' });
  const queues = Object.keys(board.config.queues).map((id) => /** @type {[string, string]} */ ([id, board.titleOf(id)]));
  const answer = await ask({ i18n, title: t('begin.title'), submit: t('begin.submit') }, labelled(t('begin.customer'), customer), labelled(t('begin.channel'), channel), labelled(t('begin.queue'), select('queue', queues)));
  return answer && { customer: String(answer.get('customer')).trim(), channel: String(answer.get('channel')).trim(), queue: String(answer.get('queue')) };
}

/** @param {I18n} i18n @param {string} title @param {string} submit */
export async function askSure(i18n, title, submit) {
  return (await ask({ i18n, title, submit, danger: true })) !== null;
}

/** @param {I18n} i18n */
export function showHelp(i18n) {
  const { t } = i18n;
  const lines = KEYS.flatMap((key) => [h('dt', {}, h('kbd', {}, KEY_NAMES[key])), h('dd', {}, t(/** @type {Key} */ (`help.${key}`)))]);
  return ask({ i18n, title: t('help.title') }, h('dl', { class: 'keys' }, ...lines));
}

/** @param {I18n} i18n @returns {Promise<string | null>} a token, where none was brought */
export async function askToken(i18n) {
  const { t } = i18n;
  const token = h('input', { name: 'token', class: 'field', type: 'password', required: true, autocomplete: 'off' });
  const answer = await ask({ i18n, title: t('signIn.title'), submit: t('signIn.submit') }, labelled(t('signIn.token'), token));
  return answer && String(answer.get('token')).trim();
}
