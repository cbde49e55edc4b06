import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test from 'node:test';
import { placeText } from '../ui/texts.js';
import en from './en.js';
import { translator } from './index.js';
import ru from './ru.js';

const WEB = fileURLToPath(new URL('..', import.meta.url));
const sources = readdirSync(WEB, { recursive: true })
  .filter((name) => name.endsWith('.js') && !/test\.js$|^i18n.(en|ru)/u.test(name))
  .map((name) => readFileSync(`${WEB}/${name}`, 'utf8'));

test('both languages say the same things', () => {
  assert.deepEqual(Object.keys(ru), Object.keys(en));
});

test('both languages fill in the same values', () => {
  const values = (phrase) => [...new Set(JSON.stringify(phrase).match(/\{\w+\}/gu) ?? [])].sort();
  for (const key of Object.keys(en)) {
    assert.deepEqual(values(ru[key]), values(en[key]), key);
  }
});

test('every phrase asked for is there, and every phrase is asked for', () => {
  const text = sources.join('\n');
  const asked = new Set([...text.matchAll(/\bt\(\s*'([^']+)'/gu)].map(([, key]) => key));
  assert.deepEqual([...asked].filter((key) => !(key in en)), []);
  const stems = (key) => [...key.matchAll(/\./gu)].map(({ index }) => `\`${key.slice(0, index + 1)}\${`);
  const spelled = (key) => text.includes(`'${key}'`) || stems(key).some((stem) => text.includes(stem));
  assert.deepEqual(Object.keys(en).filter((key) => !spelled(key)), []);
});

test('plurals follow the language', () => {
  const say = (lang, n) => translator(lang).t('widget.openUnread', { n });
  assert.deepEqual([1, 2, 5, 21].map((n) => say('ru', n).match(/нов.*/u)[0]), ['новое сообщение', 'новых сообщения', 'новых сообщений', 'новое сообщение']);
  assert.deepEqual([1, 2].map((n) => say('en', n).match(/new.*/u)[0]), ['new message', 'new messages']);
});

test('waits are told in minutes and seconds, and in hours when long', () => {
  const { wait } = translator('en');
  assert.deepEqual([0, 61_000, 3_725_000].map(wait), ['00:00', '01:01', '1:02:05']);
});

test('a place is a range, in the forms of the language, and nothing where it is not known', () => {
  const say = (lang, first, last, wait = null) => placeText(translator(lang), { first, last, wait });
  const minutes = (from_min, to_min) => ({ from_min, to_min });
  assert.equal(placeText(translator('en'), null), '');
  assert.equal(say('en', 1, 1), 'You are next.');
  assert.equal(say('en', 3, 5, minutes(4, 9)), '2 to 4 people are ahead of you. It usually takes 4 to 9 minutes.');
  assert.equal(say('en', 2, 2, minutes(0, 1)), '1 person is ahead of you. It usually takes up to 1 minute.');
  assert.equal(say('ru', 3, 5, minutes(4, 9)), 'Перед вами от 2 до 4 человек. Обычно это занимает от 4 до 9 минут.');
  assert.equal(say('ru', 4, 4, minutes(0, 21)), 'Перед вами 3 человека. Обычно это занимает до 21 минуты.');
  assert.equal(say('ru', 1, 22), 'Перед вами не больше 21 человека.');
});
