// Words in the reader's language, with plurals, times and durations by Intl.

import en from './en.js';
import ru from './ru.js';

/** @typedef {string | Partial<Record<Intl.LDMLPluralRule, string>>} Phrase */
/** @typedef {keyof typeof en} Key */
/** @typedef {ReturnType<typeof translator>} I18n */

/** @type {Record<string, Record<string, Phrase>>} */
const LANGUAGES = { en, ru };

/** The language asked for by the page's address, else by an attribute, else by the browser. @param {string | null} [asked] */
export function pageLanguage(asked = null) {
  const wanted = [new URL(location.href).searchParams.get('lang'), asked, ...navigator.languages];
  return wanted.map((tag) => tag?.slice(0, 2).toLowerCase() ?? '').find((tag) => tag in LANGUAGES) ?? 'en';
}

/** @param {string} lang */
export function translator(lang) {
  const phrases = LANGUAGES[lang] ?? en;
  const plurals = new Intl.PluralRules(lang);
  // English without a country would count hours to twelve.
  const region = lang === 'en' ? 'en-GB' : lang;
  const clock = new Intl.DateTimeFormat(region, { hour: '2-digit', minute: '2-digit' });
  const seconds = new Intl.DateTimeFormat(region, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });
  const day = new Intl.DateTimeFormat(region, { day: 'numeric', month: 'long' });
  const yearDay = new Intl.DateTimeFormat(region, { day: 'numeric', month: 'long', year: 'numeric' });
  const short = new Intl.DateTimeFormat(region, { day: 'numeric', month: 'short' });
  const numbers = new Intl.NumberFormat(lang);

  /**
   * The phrase with `{name}`s filled in; `n` chooses its plural form.
   *
   * @param {Key} key
   * @param {Record<string, string | number>} [values]
   * @returns {string}
   */
  const t = (key, values = {}) => {
    const phrase = phrases[key] ?? /** @type {Record<string, Phrase>} */ (en)[key] ?? key;
    const text = typeof phrase === 'string' ? phrase : (phrase[plurals.select(Number(values.n))] ?? phrase.other ?? '');
    return text.replace(/\{(\w+)\}/gu, (_, name) => {
      const value = values[name] ?? '';
      return typeof value === 'number' ? numbers.format(value) : value;
    });
  };
  /** The phrase, or null where there is none: for codes that servers may add. @param {string} key @param {Record<string, string | number>} [values] */
  const known = (key, values) => (key in en ? t(/** @type {Key} */ (key), values) : null);

  /** A day for a reader: today, yesterday, or its date. @param {number} at @param {number} [now] */
  const dayName = (at, now = Date.now()) => {
    const [date, today] = [new Date(at), new Date(now)];
    const ago = Math.round((midnight(today) - midnight(date)) / 86_400_000);
    if (ago === 0 || ago === 1) {
      return t(ago === 0 ? 'day.today' : 'day.yesterday');
    }
    return (date.getFullYear() === today.getFullYear() ? day : yearDay).format(date);
  };

  return {
    lang,
    t,
    known,
    dayName,
    /** Hours and minutes. @param {number} at */
    time: (at) => clock.format(at),
    /** With seconds, for how old a view is. @param {number} at */
    exact: (at) => seconds.format(at),
    /** Today's time, or the day. @param {number} at */
    stamp: (at) => (midnight(new Date(at)) === midnight(new Date()) ? clock.format(at) : short.format(at)),
    /** A wait as `mm:ss`, hours in front when there are any. @param {number} ms */
    wait: (ms) => {
      const total = Math.max(0, Math.floor(ms / 1_000));
      const two = (/** @type {number} */ value) => String(value).padStart(2, '0');
      const hours = Math.floor(total / 3_600);
      return `${hours > 0 ? `${hours}:` : ''}${two(Math.floor(total / 60) % 60)}:${two(total % 60)}`;
    },
    /** Bytes as a reader says them. @param {number} bytes */
    size: (bytes) => {
      const unit = /** @type {const} */ (['size.b', 'size.kb', 'size.mb'])[bytes < 1_000 ? 0 : bytes < 1_000_000 ? 1 : 2];
      const scaled = bytes < 1_000 ? bytes : Math.round(bytes / (bytes < 1_000_000 ? 100 : 100_000)) / 10;
      return t(unit, { n: scaled });
    },
  };
}

/** @param {Date} date */
const midnight = (date) => new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
