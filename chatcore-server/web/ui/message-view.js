// Draws the rows of a dialog; the same for the customer and the operator.

/** @import { Button, Participant } from '../client/frames.js' */
/** @import { Entry, Said } from '../model/dialog.js' */
/** @import { Row } from '../model/rows.js' */
/** @import { Sending } from '../model/outgoing.js' */
/** @import { I18n } from '../i18n/index.js' */

import { h, icon } from './dom.js';
import { errorText } from './texts.js';

/**
 * @typedef {{
 *   i18n: I18n,
 *   name: (who: Participant) => string,
 *   line: (entry: Entry) => string | null,
 *   can: (entry: Entry) => { press: boolean, edit: boolean, remove: boolean, resend?: boolean },
 *   quoted: (seq: number) => Entry | null,
 *   press: (entry: Entry, button: Button) => void,
 *   edit: (entry: Entry) => void,
 *   remove: (entry: Entry) => void,
 *   resend?: (entry: Entry) => void,
 *   again: (sending: Sending) => void,
 *   discard: (sending: Sending) => void,
 * }} View
 */

/** @param {Row} row @param {View} view @returns {HTMLElement} */
export function drawRow(row, view) {
  switch (row.kind) {
    case 'day':
      return h('div', { class: 'row day' }, h('span', {}, view.i18n.dayName(row.at)));
    case 'unread':
      return h('div', { class: 'row unread-mark' }, h('span', {}, view.i18n.t('message.unread')));
    case 'sending':
      return drawSending(row.sending, view);
    default:
      return row.entry.line ? drawLine(row.entry, view) : drawEntry(row, view);
  }
}

/** @param {Entry} entry @param {View} view */
function drawLine(entry, view) {
  const text = view.line(entry) ?? '';
  const time = h('time', {}, view.i18n.time(entry.at));
  return h('div', { class: `row line line-${entry.line?.name}` }, h('span', {}, text, ' ', time));
}

/** @param {Extract<Row, { kind: 'entry' }>} row @param {View} view */
function drawEntry(row, view) {
  const { entry, first } = row;
  const { i18n } = view;
  const can = view.can(entry);
  const name = view.name(entry.author);
  const side = row.mine ? 'mine' : 'theirs';
  const from = typeof entry.author === 'string' ? entry.author : Object.keys(entry.author)[0];
  const body = entry.deletedBy || entry.erased
    ? h('p', { class: 'gone' }, gone(entry, view))
    : drawBody(entry, row, can.press ? view : null, i18n);
  const label = entry.kind === 'note' ? i18n.t('message.note') : entry.kind === 'emergency' ? i18n.t('message.emergency') : null;
  const quoted = entry.replyTo === null || !entry.body || 'pressed' in entry.body ? null : view.quoted(entry.replyTo);
  return h(
    'div',
    { class: `row message ${side} from-${from} kind-${entry.kind}${first ? ' first' : ''}`, 'data-seq': entry.seq },
    first && h('div', { class: 'author' }, name, label && h('span', { class: 'label' }, label)),
    !first && h('span', { class: 'sr-only' }, i18n.t('message.from', { name, time: i18n.time(entry.at) })),
    h(
      'div',
      { class: 'bubble' },
      quoted?.body && h('blockquote', {}, plainText(quoted.body, i18n)),
      body,
      h(
        'div',
        { class: 'meta' },
        row.proof && h('span', { class: 'proof' }, i18n.t(`assurance.${row.proof}`)),
        entry.edited && !entry.deletedBy && h('span', {}, i18n.t('message.edited')),
        h('time', { datetime: new Date(entry.at).toISOString() }, i18n.time(entry.at)),
        row.tick && !entry.deletedBy && (entry.kind === 'message' || row.tick === 'failed') && drawTick(row.tick, i18n, undelivered(entry, view)),
      ),
    ),
    row.masked && !entry.deletedBy && h('div', { class: 'masked' }, i18n.t('message.masked')),
    row.tick === 'failed' &&
      !entry.deletedBy &&
      h(
        'div',
        { class: 'failure' },
        h('span', {}, i18n.t('message.undelivered', { reason: undelivered(entry, view) })),
        can.resend && h('button', { type: 'button', class: 'link', onclick: () => view.resend?.(entry) }, i18n.t('message.again')),
      ),
    (can.edit || can.remove) && !entry.deletedBy && drawActions(row, can, view),
  );
}

/** @param {{ entry: Entry, mine: boolean }} row @param {{ edit: boolean, remove: boolean }} can @param {View} view */
function drawActions({ entry, mine }, can, view) {
  const { t } = view.i18n;
  const remove = t(mine ? 'message.withdraw' : 'message.delete');
  return h(
    'div',
    { class: 'actions' },
    can.edit && h('button', { type: 'button', class: 'bare', 'aria-label': t('message.edit'), title: t('message.edit'), onclick: () => view.edit(entry) }, icon('edit')),
    can.remove && h('button', { type: 'button', class: 'bare', 'aria-label': remove, title: remove, onclick: () => view.remove(entry) }, icon('trash')),
  );
}

/** Why the channel gave it up. @param {Entry} entry @param {View} view */
function undelivered({ undelivered: code }, { i18n }) {
  return code === null ? '' : (i18n.known(`undelivered.${code}`) ?? i18n.t('error.other', { code }));
}

/** @param {Sending} sending @param {View} view */
function drawSending(sending, view) {
  const { i18n } = view;
  const failed = sending.state === 'failed';
  const reason = failed ? errorText(i18n, sending.code ?? '', sending.detail, view.name) : '';
  return h(
    'div',
    { class: `row message mine sending ${sending.state}` },
    h(
      'div',
      { class: 'bubble' },
      h('p', { class: 'text' }, plainText(sending.body, i18n)),
      h('div', { class: 'meta' }, h('time', {}, i18n.time(sending.at)), drawTick(failed ? 'failed' : sending.state, i18n, reason)),
    ),
    failed &&
      h(
        'div',
        { class: 'failure', role: 'alert' },
        h('span', {}, i18n.t('tick.failed', { reason })),
        h('button', { type: 'button', class: 'link', onclick: () => view.again(sending) }, i18n.t('message.again')),
        h('button', { type: 'button', class: 'link', onclick: () => view.discard(sending) }, i18n.t('message.discard')),
      ),
  );
}

/** @param {import('../model/rows.js').Tick | 'sending' | 'failed'} state @param {I18n} i18n @param {string} [reason] */
function drawTick(state, i18n, reason = '') {
  const drawing = /** @type {const} */ ({ sending: 'clock', accepted: 'check', unknown: 'check', delivered: 'checks', read: 'checks', failed: 'alert' })[state];
  const label = i18n.t(`tick.${state}`, { reason });
  return h('span', { class: `tick tick-${state}`, role: 'img', 'aria-label': label, title: label }, icon(drawing), state === 'unknown' && '?');
}

/** @param {Entry} entry @param {{ chosen: string | null, spent: boolean }} row @param {View | null} view null where nothing may be pressed @param {I18n} i18n */
function drawBody(entry, { chosen, spent }, view, i18n) {
  const body = /** @type {Said} */ (entry.body);
  const parts = document.createDocumentFragment();
  if ('text' in body) {
    parts.append(h('p', { class: 'text' }, body.text));
  } else if ('buttons' in body) {
    parts.append(h('p', { class: 'text' }, body.buttons.text), drawButtons(body.buttons.buttons, false));
  } else if ('quick_replies' in body) {
    parts.append(h('p', { class: 'text' }, body.quick_replies.text));
    if (!spent) {
      parts.append(drawButtons(body.quick_replies.replies, true));
    }
  } else if ('pressed' in body) {
    parts.append(h('p', { class: 'text pressed' }, body.pressed.label));
  } else if ('attachment' in body) {
    const { name, bytes } = body.attachment;
    parts.append(h('p', { class: 'text file' }, icon('file'), i18n.t('message.file', { name, size: i18n.size(bytes) })));
  } else if ('card' in body) {
    const { title, fields, buttons } = body.card;
    const lines = fields.flatMap(({ label, value }) => [h('dt', {}, label), h('dd', {}, value)]);
    parts.append(h('div', { class: 'card' }, h('p', { class: 'card-title' }, title), h('dl', {}, ...lines)), drawButtons(buttons, false));
  }
  return parts;

  /** @param {Button[]} buttons @param {boolean} quick */
  function drawButtons(buttons, quick) {
    return h(
      'div',
      { class: quick ? 'choices quick' : 'choices' },
      ...buttons.map((button) => {
        const picked = button.id === chosen;
        const label = picked ? `${button.label}, ${i18n.t('message.chosen')}` : null;
        const props = { type: 'button', class: picked ? 'choice chosen' : 'choice', disabled: spent || !view, 'aria-label': label };
        return h('button', { ...props, onclick: () => view?.press(entry, button) }, picked && icon('check'), button.label);
      }),
    );
  }
}

/** @param {Entry} entry @param {View} view */
function gone(entry, view) {
  if (!entry.deletedBy) {
    return view.i18n.t('message.erased');
  }
  const by = entry.deletedBy;
  const own = JSON.stringify(by) === JSON.stringify(entry.author);
  return own ? view.i18n.t('message.deleted') : view.i18n.t('message.deletedByOther', { name: view.name(by) });
}

/** What a body says, in one line of plain text. @param {Said} body @param {I18n} i18n @returns {string} */
export function plainText(body, i18n) {
  if ('text' in body) {
    return body.text;
  }
  if ('buttons' in body) {
    return body.buttons.text;
  }
  if ('quick_replies' in body) {
    return body.quick_replies.text;
  }
  if ('pressed' in body) {
    return body.pressed.label;
  }
  if ('attachment' in body) {
    return i18n.t('message.file', { name: body.attachment.name, size: i18n.size(body.attachment.bytes) });
  }
  return body.card.title;
}
