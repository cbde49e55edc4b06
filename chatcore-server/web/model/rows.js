// What a list of messages shows, row by row: days, groups, messages on their way. Pure.

/** @import { Dialog, Entry } from './dialog.js' */
/** @import { Assurance, Participant } from '../client/frames.js' */
/** @import { Sending } from './outgoing.js' */

import { participantKey, sameParticipant } from './dialog.js';

/** Where the customer's end tells how far it got; of other channels nothing is known until it does. */
const TELLING = new Set(['', 'web', 'mobile', 'app']);
/** Messages of one author this close together share one head. */
const GROUP_MS = 3 * 60_000;

/** Stands for what was taken out; people hardly write it, and not so often. */
const MASKED = /•.?•.?•/u;

/** @typedef {'accepted' | 'delivered' | 'read' | 'unknown' | 'failed'} Tick */
/**
 * @typedef {{ key: string, version: string, kind: 'day', at: number }
 *   | { key: string, version: string, kind: 'unread' }
 *   | { key: string, version: string, kind: 'entry', entry: Entry, first: boolean, mine: boolean, tick: Tick | null, chosen: string | null, spent: boolean, proof: Assurance | null, masked: boolean }
 *   | { key: string, version: string, kind: 'sending', sending: Sending }} Row
 */

/** @param {number} at the local day */
function dayOf(at) {
  const date = new Date(at);
  return `${date.getFullYear()}-${date.getMonth()}-${date.getDate()}`;
}

/**
 * @param {Dialog} dialog
 * @param {Sending[]} sending
 * @param {{ me: Participant, hidden?: Set<string>, unreadAfter?: number | null, editing?: number | null }} options
 *   `hidden` names lines that this audience has no use for; `unreadAfter` draws a mark
 * @returns {Row[]}
 */
export function rowsOf(dialog, sending, { me, hidden = new Set(), unreadAfter = null, editing = null }) {
  /** @type {Row[]} */
  const rows = [];
  const choices = choicesIn(dialog.entries);
  let day = '';
  /** @type {Entry | null} */
  let before = null;
  /** @type {Assurance | null} */
  let proof = null;
  let marked = unreadAfter === null;
  for (const entry of dialog.entries) {
    if (entry.line && hidden.has(entry.line.name)) {
      continue;
    }
    if (dayOf(entry.at) !== day) {
      day = dayOf(entry.at);
      rows.push({ key: `day-${day}-${entry.seq}`, version: '', kind: 'day', at: entry.at });
      before = null;
    }
    const mine = sameParticipant(entry.author, me);
    if (!marked && unreadAfter !== null && entry.seq > unreadAfter && !mine && !entry.line) {
      marked = true;
      rows.push({ key: 'unread', version: '', kind: 'unread' });
      before = null;
    }
    const first = !before || !joins(before, entry);
    // The channel gave it up: whoever of the bank said it.
    const failed = entry.undelivered !== null && isStaff(me);
    const tick = failed ? 'failed' : mine || (isStaff(entry.author) && isStaff(me)) ? tickOf(dialog, entry) : null;
    const choice = choices.get(entry.seq) ?? null;
    // The bot offers nothing any more once a person is asked for.
    const passed = dialog.phase === 'closed' || (entry.author === 'bot' && dialog.phase !== 'bot');
    const spent = choice !== null || passed || (hasReplies(entry) && choices.has(-entry.seq));
    // Said where it changes: what was written before may be of somebody less surely known.
    const changed = isStaff(me) && entry.body !== null && entry.assurance !== null && proof !== null && entry.assurance !== proof;
    proof = (entry.body && entry.assurance) || proof;
    const edit = editing === entry.seq ? 'e' : '';
    const version = `${entry.version}${first ? 'f' : ''}${tick ?? ''}${choice ?? ''}${spent ? 's' : ''}${changed ? entry.assurance : ''}${edit}`;
    rows.push({ key: `e${entry.seq}`, version, kind: 'entry', entry, first, mine, tick, chosen: choice, spent, proof: changed ? entry.assurance : null, masked: mine && isMasked(entry) });
    before = entry;
  }
  for (const item of sending) {
    rows.push({ key: `s${item.id}`, version: item.state, kind: 'sending', sending: item });
  }
  return rows;
}

/**
 * Which button of a message was pressed, by the message's seq; under the negative seq of quick
 * replies, that the customer has said something since, which ends them.
 *
 * @param {Entry[]} entries
 * @returns {Map<number, string>}
 */
function choicesIn(entries) {
  const choices = new Map();
  /** @type {Entry[]} */
  let open = [];
  for (const entry of entries) {
    if (offered(entry).length > 0) {
      open.push(entry);
    } else if (isCustomer(entry.author) && entry.body) {
      const pressed = 'pressed' in entry.body ? entry.body.pressed.id : null;
      const source = open.findLast(({ seq }) => seq === entry.replyTo) ?? open.findLast((other) => offered(other).some(({ id }) => id === pressed));
      if (source && pressed !== null) {
        choices.set(source.seq, pressed);
        open = open.filter((other) => other !== source);
      }
      open.filter(hasReplies).forEach(({ seq }) => choices.set(-seq, ''));
      open = open.filter((other) => !hasReplies(other));
    }
  }
  return choices;
}

/** @param {Entry} entry */
function offered({ body }) {
  if (!body) {
    return [];
  }
  return 'buttons' in body ? body.buttons.buttons : 'quick_replies' in body ? body.quick_replies.replies : 'card' in body ? body.card.buttons : [];
}

/** Whether something was taken out of it before it was written down: a card number and the like. @param {Entry} entry */
const isMasked = ({ body }) => body !== null && 'text' in body && MASKED.test(body.text);
/** @param {Entry} entry */
const hasReplies = ({ body }) => body !== null && 'quick_replies' in body;
/** @param {Participant} who */
const isCustomer = (who) => typeof who !== 'string' && 'customer' in who;
/** @param {Participant} who */
const isStaff = (who) => typeof who !== 'string' && 'staff' in who;

/** @param {Entry} before @param {Entry} entry */
function joins(before, entry) {
  return (
    before.kind === entry.kind &&
    !entry.line &&
    participantKey(before.author) === participantKey(entry.author) &&
    entry.at - before.at < GROUP_MS
  );
}

/** @param {Dialog} dialog @param {Entry} entry @returns {Tick} */
function tickOf(dialog, entry) {
  const tick = dialog.tick(entry);
  return tick === 'accepted' && isStaff(entry.author) && !TELLING.has(dialog.channel) ? 'unknown' : tick;
}
