// Codes and lines in words.

/** @import { Outcome, Participant } from '../client/frames.js' */
/** @import { Entry } from '../model/dialog.js' */
/** @import { I18n } from '../i18n/index.js' */

import { ChatError } from '../client/chatcore-client.js';

/** @typedef {(who: Participant) => string} Naming */

/**
 * Why something was not done, in words.
 *
 * @param {I18n} i18n
 * @param {string} code
 * @param {Record<string, any>} [detail]
 * @param {Naming} [name]
 */
export function errorText(i18n, code, detail = {}, name = (who) => Object.values(who)[0]) {
  if (code === 'not_owner' && !detail.by) {
    return i18n.t('error.not_owner.nobody');
  }
  const by = detail.by ? name({ staff: String(detail.by) }) : '';
  return i18n.known(`error.${code}`, { ...detail, by, n: detail.capacity ?? 0 }) ?? i18n.t('error.other', { code });
}

/**
 * Why an outcome is not what was asked for; null when it is.
 *
 * @param {I18n} i18n
 * @param {Outcome | 'settled'} outcome
 * @param {Naming} [name]
 */
export function rejectionText(i18n, outcome, name) {
  if (outcome === 'settled' || 'accepted' in outcome) {
    return null;
  }
  const { code, ...detail } = outcome.rejected;
  return errorText(i18n, code, detail, name);
}

/** @param {I18n} i18n @param {unknown} error */
export function failureText(i18n, error) {
  return errorText(i18n, error instanceof ChatError ? error.code : 'unavailable');
}

/**
 * What a line of a dialog says.
 *
 * @param {I18n} i18n
 * @param {Entry} entry
 * @param {Naming} name
 * @param {(queue: string) => string} queueTitle
 */
export function lineText(i18n, { line, author }, name, queueTitle) {
  const { t, known } = i18n;
  const who = name(author);
  switch (line?.name) {
    case 'opened':
      return typeof author !== 'string' && 'staff' in author ? t('line.openedBy', { name: who }) : t('line.opened');
    case 'waiting':
      return known(`line.waiting.${line.reason}`, { queue: queueTitle(line.queue.queue) }) ?? t('line.waiting');
    case 'assigned': {
      const operator = name({ staff: line.operator });
      return line.from ? t('line.takenOver', { name: operator, from: name({ staff: line.from }) }) : t('line.assigned', { name: operator });
    }
    case 'closed':
      return line.outcome ? t('line.closedWith', { name: who, outcome: outcomeText(i18n, line.outcome) }) : t('line.closed', { name: who });
    case 'reopened':
      return t('line.reopened', { name: who });
    case 'rated':
      return t('line.rated', { n: line.score });
    case 'tagged':
      return line.tags.length > 0 ? t('line.tagged', { name: who, tags: line.tags.map((/** @type {string} */ tag) => labelText(i18n, tag)).join(', ') }) : t('line.untagged', { name: who });
    case 'topic_set':
      return line.topic ? t('line.topic_set', { name: who, topic: labelText(i18n, line.topic) }) : t('line.topicCleared', { name: who });
    default:
      return known(`line.${line?.name}`) ?? line?.name ?? '';
  }
}

/** @param {I18n} i18n @param {string} outcome */
export function outcomeText(i18n, outcome) {
  return i18n.known(`outcome.${outcome}`) ?? outcome;
}

/** @param {I18n} i18n @param {string} label a tag or a topic */
export function labelText(i18n, label) {
  return i18n.known(`label.${label}`) ?? label;
}

/** Where somebody is in the line and how long it usually takes, as far as it is known. @param {I18n} i18n @param {import('../client/frames.js').PlaceInLine | null} place */
export function placeText({ t }, place) {
  if (!place) {
    return '';
  }
  const { first, last, wait } = place;
  const [from, to] = [first - 1, last - 1];
  const ahead = to === 0 ? t('place.next') : from === to ? t('place.ahead', { n: to }) : from === 0 ? t('place.upTo', { n: to }) : t('place.range', { from, n: to });
  if (!wait) {
    return ahead;
  }
  const { from_min: least, to_min: most } = wait;
  const time = least === 0 || least === most ? t('place.timeUpTo', { n: most }) : t('place.time', { from: least, n: most });
  return `${ahead} ${time}`;
}
