// Everybody gets through: by keyboard, on a phone, in the dark, with ten thousand messages.

import assert from 'node:assert/strict';
import test from 'node:test';
import { launch } from './launch.mjs';
import { Customer, Operator, story } from './people.mjs';
import { startServer } from './server.mjs';
import { stageWorkplace } from './stage.mjs';

/** @import { Page } from 'playwright-core' */

/** Presses Tab until an element of this name has the focus. @param {Page} page @param {string} name */
async function tabTo(page, name) {
  for (let presses = 0; presses < 40; presses += 1) {
    await page.keyboard.press('Tab');
    const focused = await page.evaluate(() => {
      const outer = document.activeElement;
      const inner = outer?.shadowRoot?.activeElement ?? outer;
      return inner?.getAttribute('aria-label') ?? inner?.textContent ?? '';
    });
    if (focused.startsWith(name)) {
      return;
    }
  }
  assert.fail(`nothing called ${name} is reached by Tab`);
}

test('everything from the first word to the close is done with the keyboard alone', async () => {
  await story('keyboard', async (bring, server) => {
    const anna = await bring(Customer.at(server.url, 'anna'));
    const olga = await bring(Operator.at(server.url, 'olga'));
    await anna.widget.locator('.opener').waitFor();
    await tabTo(anna.page, 'Open the chat');
    await anna.page.keyboard.press('Enter');
    await anna.field.waitFor();
    await anna.page.keyboard.type('by keyboard');
    await anna.page.keyboard.press('Enter');
    await anna.accepted();
    await anna.widget.getByRole('button', { name: 'Ask for a person', exact: true }).waitFor();
    await tabTo(anna.page, 'Ask for a person');
    await anna.page.keyboard.press('Enter');
    await anna.widget.locator('.waiting').waitFor();

    await olga.list('waiting').first().waitFor();
    await olga.page.keyboard.press('Alt+ArrowDown');
    await olga.action('take').waitFor();
    await olga.page.keyboard.press('Alt+KeyT');
    await olga.page.locator('.thread textarea:focus').waitFor();
    await olga.page.keyboard.type('/hel');
    await olga.page.locator('.templates li').first().waitFor();
    await olga.shot('operator-templates');
    await olga.page.keyboard.press('Enter');
    await olga.page.keyboard.press('Enter');
    await anna.sees('Hello! I have read what you wrote and am looking into it.');
    await olga.page.keyboard.press('Alt+KeyN');
    await olga.page.keyboard.type('a note');
    await olga.page.keyboard.press('Enter');
    await olga.page.locator('.kind-note').waitFor();
    await olga.page.keyboard.press('Alt+KeyC');
    await olga.page.locator('dialog[open]').waitFor();
    await olga.page.keyboard.press('Enter');
    await anna.widget.locator('.rating').waitFor();
    await anna.page.keyboard.press('Escape');
    await anna.widget.locator('.panel').waitFor({ state: 'hidden' });
    assert.equal(await anna.widget.locator('.opener:focus').count(), 1);
    await olga.page.keyboard.press('Escape');
    await olga.page.keyboard.press('?');
    await olga.page.locator('dialog[open] .keys').waitFor();
    await olga.shot('operator-help');
  });
});

for (const width of [320, 390]) {
  test(`the widget fits a phone of ${width} pixels, in Russian and in the dark`, async () => {
    await story(`phone-${width}`, async (bring, server) => {
      const boris = await bring(Customer.at(server.url, 'boris', { viewport: { width, height: 640 }, colorScheme: width === 320 ? 'dark' : 'light', lang: 'ru' }));
      await boris.open();
      await boris.say('Здравствуйте, есть вопрос о карте с очень-очень-длинным-словом-без-единого-пробела-посередине');
      await boris.accepted();
      await boris.widget.locator('.from-bot').first().waitFor();
      await boris.shot(`customer-${width}`);
      const wide = await boris.page.evaluate(() => {
        const root = document.querySelector('chatcore-widget')?.shadowRoot;
        const log = root?.querySelector('.log');
        const panel = root?.querySelector('.panel')?.getBoundingClientRect();
        return { page: document.documentElement.scrollWidth, log: (log?.scrollWidth ?? 0) - (log?.clientWidth ?? 0), left: panel?.left ?? -1, right: panel?.right ?? 0 };
      });
      assert.ok(wide.page <= width && wide.log <= 0, JSON.stringify(wide));
      assert.ok(wide.left >= 0 && wide.right <= width, JSON.stringify(wide));
    });
  });
}

test('the workplace shows one column at a time on a phone', async () => {
  await story('narrow', async (bring, server) => {
    const anna = await bring(Customer.at(server.url, 'anna'));
    const olga = await bring(Operator.at(server.url, 'olga', { viewport: { width: 390, height: 780 } }));
    await anna.asksForPerson('a question for a small screen');
    const dialog = await anna.number();
    const columns = () => Promise.all(['.lists', '.thread', '.details'].map((name) => olga.page.locator(name).isVisible()));
    await olga.list('waiting').first().waitFor();
    assert.deepEqual(await columns(), [true, false, false]);
    await olga.shot('operator-390-lists');
    await olga.open(dialog);
    await olga.action('take').click();
    await olga.action('close').waitFor();
    assert.deepEqual(await columns(), [false, true, false]);
    await olga.shot('operator-390-thread');
    await olga.page.getByRole('button', { name: 'Customer and dialog' }).click();
    assert.equal((await columns())[2], true);
    assert.ok((await olga.page.evaluate(() => document.documentElement.scrollWidth)) <= 390);
  });
});

test('the workplace in Russian and in the dark', async () => {
  await story('dark', async (bring, server) => {
    const anna = await bring(Customer.at(server.url, 'anna'));
    const olga = await bring(Operator.at(server.url, 'olga', { lang: 'ru', colorScheme: 'dark', viewport: { width: 1320, height: 820 } }));
    await anna.asksForPerson('Карта не работает');
    await olga.take(await anna.number());
    await olga.say('Здравствуйте, разбираюсь');
    await anna.sees('Здравствуйте, разбираюсь');
    await olga.page.getByText('Мои', { exact: true }).waitFor();
    await olga.page.locator('.tick-read').first().waitFor();
    await olga.shot('operator-dark-ru');
  });
});

test('ten thousand messages are windowed, stay in place when older ones come, and end at the end', async () => {
  const server = await startServer();
  const { context, close } = await launch({ viewport: { width: 900, height: 700 } });
  try {
    const page = await context.newPage();
    await page.goto(server.url);
    const seen = await page.evaluate(async () => {
      const load = (/** @type {string} */ path) => import(path);
      const { VirtualList } = await load('/ui/virtual-list.js');
      const { Dialog } = await load('/model/dialog.js');
      const { rowsOf } = await load('/model/rows.js');
      const me = { staff: 'olga' };
      const event = (/** @type {number} */ seq) => ({ seq, hash: '', at: seq * 30_000, visibility: 'everyone', event: { dialog: { message: { author: seq % 3 ? { customer: 'anna' } : me, body: { text: `${seq} ${'word '.repeat(seq % 40)}` }, reply_to: null } } } });
      const events = (/** @type {number} */ from, /** @type {number} */ to) => Array.from({ length: to - from + 1 }, (_, index) => event(from + index));
      const dialog = new Dialog(1);
      dialog.reset(5_000);
      dialog.live(events(5_001, 10_000), 10_000);
      const box = document.createElement('div');
      box.style.cssText = '';
      Object.assign(box.style, { height: '500px', overflow: 'auto', overflowAnchor: 'none' });
      document.body.replaceChildren(box);
      const list = new VirtualList(box, {
        draw: (/** @type {any} */ row) => {
          const node = document.createElement('div');
          node.textContent = row.kind === 'entry' ? row.entry.body.text : row.kind;
          return node;
        },
      });
      const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
      list.set(rowsOf(dialog, [], { me }));
      await frame();
      const atEnd = box.textContent?.includes('10000 ') ?? false;
      let most = list.drawn;
      // Scrolls through all of it in steps, as a reader with a fast wheel would.
      for (let step = 0; step < 60; step += 1) {
        box.scrollTop = Math.max(0, box.scrollTop - 4_000);
        await frame();
        most = Math.max(most, list.drawn);
      }
      box.scrollTop = 1_000;
      await frame();
      await frame();
      const edge = box.getBoundingClientRect().top;
      const first = [...box.querySelectorAll('[role=listitem]')].find((node) => node.getBoundingClientRect().bottom > edge + 1);
      const [text, top] = [first?.textContent, first?.getBoundingClientRect().top ?? 0];
      dialog.older(events(1, 5_000), 0);
      list.set(rowsOf(dialog, [], { me }));
      await frame();
      await frame();
      const kept = [...box.querySelectorAll('[role=listitem]')].find((node) => node.textContent === text);
      const moved = kept ? Math.abs(kept.getBoundingClientRect().top - top) : Infinity;
      list.toEnd();
      await frame();
      return { rows: dialog.entries.length, atEnd, most, moved, endAgain: box.textContent?.includes('10000 ') ?? false };
    });
    assert.equal(seen.rows, 10_000);
    assert.ok(seen.atEnd && seen.endAgain, JSON.stringify(seen));
    assert.ok(seen.most < 120, `${seen.most} rows were drawn at a time`);
    assert.ok(seen.moved < 2, `the reader's row moved by ${seen.moved} pixels`);
  } finally {
    await close();
    await server.end();
  }
});

test('two hundred events a second do not stop typing', async () => {
  const server = await startServer();
  const { context, close } = await launch({ viewport: { width: 1280, height: 800 } });
  try {
    const page = await context.newPage();
    await stageWorkplace(page, server.url);
    await page.evaluate(() => {
      const { client } = /** @type {any} */ (globalThis).stage;
      const dialogs = [1, 2, 3, 4, 5];
      const config = { queues: {}, operators: { olga: { name: 'Olga', capacity: 5, queues: [] } } };
      const grants = dialogs.map((dialog) => ({ grant: dialog, dialog, customer: `customer-${dialog}`, operator: 'olga', epoch: 1 }));
      client.emit('reset', { stream: 'board/main', position: { seq: 0 }, board: { config, waiting: [], operators: [], grants } });
      for (const id of dialogs) {
        client.emit('reset', { stream: `dialog/${id}`, position: { seq: 0 }, dialog: { customer: `customer-${id}`, phase: 'assigned', owner: 'olga', epoch: 1, queue: null, desk: 'main' } });
      }
      let seq = 0;
      const burst = () => {
        // Ten each fiftieth of a second, to all five dialogs.
        for (let count = 0; count < 10; count += 1) {
          const at = Math.floor(seq / 5) + 1;
          const event = { seq: at, hash: '', at: Date.now(), visibility: 'everyone', event: { dialog: { message: { author: { customer: 'x' }, body: { text: `message ${at}` }, reply_to: null } } } };
          client.emit('events', { stream: `dialog/${dialogs[seq % 5]}`, events: [event], position: at });
          seq += 1;
        }
      };
      /** @type {number[]} */
      const gaps = [];
      // From the key itself: it may have waited for its turn before any listener heard of it.
      document.addEventListener('keydown', ({ timeStamp }) => {
        requestAnimationFrame(() => gaps.push(performance.now() - timeStamp));
      }, true);
      /** @type {any} */
      let pour = null;
      Object.assign(globalThis, {
        pour: () => (pour = setInterval(burst, 50)),
        /** Since the last time: how many events came, and the time in which nine of ten keys were shown, in ms. */
        measured: () => {
          clearInterval(pour);
          const sorted = gaps.splice(0).sort((a, b) => a - b);
          return { told: seq, slow: sorted[Math.floor(sorted.length * 0.9)] };
        },
      });
    });
    await page.locator('.section-mine button.dialog').first().click();
    await page.locator('.thread textarea:focus').waitFor();
    const measured = () => page.evaluate(() => /** @type {any} */ (globalThis).measured());
    const text = 'typed while two hundred events a second arrive in all the dialogs of this operator. '.repeat(6);
    // The same keys while nothing arrives: how quick this machine is just now.
    await page.keyboard.type(text.slice(0, 168));
    const quiet = await measured();
    assert.equal(quiet.told, 0);
    await page.locator('.thread textarea:focus').fill('');
    await page.evaluate(() => /** @type {any} */ (globalThis).pour());
    await page.keyboard.type(text);
    assert.equal(await page.locator('.thread textarea:focus').inputValue(), text);
    const { told, slow } = await measured();
    assert.ok(told > 200, `${told} events`);
    const frame = 1_000 / 60;
    const bound = 6 * Math.max(quiet.slow, frame);
    assert.ok(slow < bound, `nine of ten keys were shown within ${slow} ms, and within ${quiet.slow} ms while nothing arrived`);
    await page.locator('.thread .log').getByText(`message ${Math.floor(told / 5)}`, { exact: true }).waitFor();
  } finally {
    await close();
    await server.end();
  }
});
