import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test from 'node:test';
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
