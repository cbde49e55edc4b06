import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import test from 'node:test';
import { launch } from './launch.mjs';

const profiles = () => readdirSync(tmpdir()).filter((name) => name.startsWith('chatcore-browser-'));

test('a browser opens a page and leaves no profile behind', async () => {
  const before = profiles();
  const { context, close } = await launch({ locale: 'ru-RU', viewport: { width: 320, height: 640 } });
  let made;
  try {
    made = profiles().filter((name) => !before.includes(name));
    const page = await context.newPage();
    await page.goto('about:blank');
    assert.equal(await page.evaluate(() => navigator.language), 'ru-RU');
    assert.equal(await page.evaluate(() => window.innerWidth), 320);
  } finally {
    await close();
  }
  assert.notEqual(made.length, 0);
  assert.deepEqual(made.filter((name) => existsSync(`${tmpdir()}/${name}`)), []);
});
