// Five thousand dialogs wait, and the workplace stays as quick, as small and as steady as with fifty.

import assert from 'node:assert/strict';
import test from 'node:test';
import { launch } from './launch.mjs';
import { startServer } from './server.mjs';
import { stageWorkplace } from './stage.mjs';

/** @import { Page } from 'playwright-core' */

const MANY = 5_000;

/** Runs with a workplace whose desk has so many waiting, one a second since long ago. @param {(page: Page) => Promise<void>} run */
async function withMany(run) {
  const server = await startServer();
  const { context, close } = await launch({ viewport: { width: 1280, height: 800 } });
  try {
    const page = await context.newPage();
    await stageWorkplace(page, server.url);
    await page.evaluate(() => {
      const { client } = /** @type {any} */ (globalThis).stage;
      const begin = Date.now() - 7_200_000;
      const wait = (/** @type {number} */ dialog, priority = 0) => ({ wait: { dialog, customer: `customer-${dialog}`, queue: 'cards', channel: 'web', priority, since: begin + dialog * 1_000, epoch: 1 }, boost: 0 });
      const config = { queues: { cards: { title: 'Cards' } }, operators: { olga: { name: 'Olga', capacity: 5, queues: ['cards'] } } };
      const grants = [{ grant: 1, dialog: 90_001, customer: 'own', operator: 'olga', epoch: 1 }];
      const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
      Object.assign(globalThis, {
        frame,
        wait,
        /** So many wait from now on: dialogs 1, 2, 3 … */
        fill: async (/** @type {number} */ count) => {
          const waiting = Array.from({ length: count }, (_, index) => wait(index + 1));
          client.emit('reset', { stream: 'board/main', position: { seq: 0 }, board: { config, waiting, operators: [], grants } });
          client.emit('reset', { stream: 'dialog/90001', position: { seq: 0 }, dialog: { customer: 'own', phase: 'assigned', owner: 'olga', epoch: 1, queue: null, desk: 'main' } });
          await frame();
          await frame();
        },
        /** Tells events of the board, and waits until they are shown. */
        tell: async (/** @type {any[]} */ ...events) => {
          client.emit('events', { stream: 'board/main', position: 1, events: events.map((board) => ({ seq: 1, at: 0, event: { board } })) });
          await frame();
          await frame();
        },
      });
    });
    await page.evaluate((count) => /** @type {any} */ (globalThis).fill(count), MANY);
    await run(page);
  } finally {
    await close();
    await server.end();
  }
}

/** What has the focus. @param {Page} page */
const focused = (page) =>
  page.evaluate(() => {
    const row = document.activeElement?.closest('[role=listitem]');
    return {
      dialog: Number(document.activeElement?.getAttribute('data-dialog')),
      place: Number(row?.getAttribute('aria-posinset')),
      of: Number(row?.getAttribute('aria-setsize')),
      box: document.activeElement?.className ?? '',
      inSight: Boolean(row && document.activeElement?.matches('button') && isInSight(row)),
    };
    /** @param {Element} node */
    function isInSight(node) {
      const [own, box] = [node.getBoundingClientRect(), /** @type {Element} */ (node.closest('.dialogs')).getBoundingClientRect()];
      return own.top >= box.top - 1 && own.bottom <= box.bottom + 1;
    }
  });

const waiting = '.section-waiting .dialogs';

test('of five thousand who wait only those in sight are in the document, and readers are told the number', async () => {
  await withMany(async (page) => {
    const seen = await page.evaluate(async (list) => {
      const box = /** @type {HTMLElement} */ (document.querySelector(list));
      let most = 0;
      let text = '';
      for (let step = 0; step <= 40; step += 1) {
        box.scrollTop = (box.scrollHeight * step) / 40;
        await /** @type {any} */ (globalThis).frame();
        await /** @type {any} */ (globalThis).frame();
        most = Math.max(most, box.querySelectorAll('button.dialog').length);
        text = box.querySelector('[role=listitem]:last-child')?.textContent ?? '';
      }
      const heights = new Set([...document.querySelectorAll('.sections [role=listitem]')].map((row) => Math.round(row.getBoundingClientRect().height * 4)));
      return {
        most,
        text,
        elements: document.querySelectorAll('*').length,
        count: document.querySelector('.section-waiting .count')?.textContent,
        sizes: [...new Set([...box.querySelectorAll('[role=listitem]')].map((row) => row.getAttribute('aria-setsize')))],
        heights: heights.size,
        own: document.querySelector('.section-mine button.dialog')?.getBoundingClientRect().bottom ?? Infinity,
      };
    }, waiting);
    assert.ok(seen.most > 5 && seen.most < 50, `${seen.most} rows at a time`);
    assert.ok(seen.elements < 800, `${seen.elements} elements`);
    assert.ok(seen.text.includes('#5000'), seen.text);
    assert.equal(seen.count, '5000');
    assert.deepEqual(seen.sizes, ['5000']);
    assert.equal(seen.heights, 1, 'rows are alike');
    assert.ok(seen.own < 800, `one's own dialogs are in sight: ${seen.own}`);
  });
});

test('the keys reach every row, and the focus is never lost', async () => {
  await withMany(async (page) => {
    await page.locator('.search').focus();
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    assert.deepEqual(await focused(page), { dialog: 1, place: 1, of: MANY, box: 'dialog', inSight: true });
    await page.keyboard.press('End');
    assert.deepEqual(await focused(page), { dialog: MANY, place: MANY, of: MANY, box: 'dialog', inSight: true });
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('ArrowUp');
    assert.equal((await focused(page)).dialog, MANY - 2);
    await page.keyboard.press('Home');
    for (let press = 0; press < 30; press += 1) {
      await page.keyboard.press('ArrowDown');
    }
    assert.deepEqual(await focused(page), { dialog: 31, place: 31, of: MANY, box: 'dialog', inSight: true });
    // Scrolled out of the document: the list keeps the place.
    await page.locator(waiting).evaluate(async (box) => {
      box.scrollTop = 100_000;
      await /** @type {any} */ (globalThis).frame();
      await /** @type {any} */ (globalThis).frame();
    });
    assert.equal((await focused(page)).box, 'dialogs');
    // Nor does a click beside the rows, as on the scrollbar, bring it back there.
    await page.mouse.click(600, 400);
    const edge = await page.locator(waiting).evaluate((box) => [box.getBoundingClientRect().right - 1, box.getBoundingClientRect().top + 100]);
    await page.mouse.click(edge[0], edge[1]);
    assert.equal(await page.locator(waiting).evaluate((box) => box.scrollTop), 100_000);
    await page.locator(waiting).evaluate((box) => /** @type {HTMLElement} */ (box).focus());
    await page.keyboard.press('ArrowDown');
    assert.deepEqual(await focused(page), { dialog: 32, place: 32, of: MANY, box: 'dialog', inSight: true });
    // Taken by somebody else under the focus: its neighbour has it.
    await page.evaluate(() => /** @type {any} */ (globalThis).tell({ left: { dialog: 32 } }));
    assert.deepEqual(await focused(page), { dialog: 33, place: 32, of: MANY - 1, box: 'dialog', inSight: true });
    // One stop for each list.
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    assert.equal((await focused(page)).dialog, 90_001);
    await page.keyboard.press('Shift+Tab');
    await page.keyboard.press('Shift+Tab');
    assert.equal((await focused(page)).dialog, 33);

    await page.keyboard.press('Enter');
    const current = page.locator(`${waiting} [aria-current=true]`);
    assert.equal(await current.getAttribute('data-dialog'), '33');
    await page.locator(waiting).evaluate((box) => box.scrollTo(0, 150_000));
    await current.waitFor({ state: 'detached' });
    await page.keyboard.press('Alt+ArrowDown');
    await page.locator(`${waiting} [aria-current=true][data-dialog="34"]`).waitFor();
    await page.keyboard.press('Alt+ArrowUp');
    await page.keyboard.press('Alt+ArrowUp');
    await page.locator(`${waiting} [aria-current=true][data-dialog="31"]`).waitFor();
  });
});

test('what the operator looks at stays where it is while entries come and go', async () => {
  await withMany(async (page) => {
    const moved = await page.evaluate(async (list) => {
      const { tell, wait, frame } = /** @type {any} */ (globalThis);
      const box = /** @type {HTMLElement} */ (document.querySelector(list));
      box.scrollTop = 60_010;
      await frame();
      await frame();
      const edge = box.getBoundingClientRect().top;
      const inSight = () => [...box.querySelectorAll('button.dialog')].filter((row) => row.getBoundingClientRect().bottom > edge + 1).map((row) => ({ dialog: Number(row.getAttribute('data-dialog')), top: row.getBoundingClientRect().top }));
      const [first, second] = inSight();
      const topOf = (/** @type {number} */ dialog) => box.querySelector(`[data-dialog="${dialog}"]`)?.getBoundingClientRect().top ?? NaN;
      /** @type {Record<string, number>} */
      const moves = {};
      await tell(...Array.from({ length: 100 }, (_, index) => ({ waiting: wait(10_000 + index, 2) })));
      moves.came = topOf(first.dialog) - first.top;
      await tell(...Array.from({ length: 300 }, (_, index) => ({ left: { dialog: index + 1 } })));
      moves.went = topOf(first.dialog) - first.top;
      await tell({ left: { dialog: first.dialog } }, { left: { dialog: 400 } });
      moves.firstWent = topOf(second.dialog) - second.top;
      box.scrollTop = 0;
      await frame();
      await tell({ waiting: wait(20_000, 9) });
      moves.top = box.scrollTop;
      return { moves, first: box.querySelector('button.dialog')?.getAttribute('data-dialog') };
    }, waiting);
    for (const [when, by] of Object.entries(moved.moves)) {
      assert.ok(Math.abs(by) < 1.5, `${when}: moved by ${by}`);
    }
    assert.equal(moved.first, '20000', 'at the top the first is in sight');
  });
});

test('an event costs as much with five thousand waiting as with fifty', async () => {
  await withMany(async (page) => {
    const cost = await page.evaluate(async (many) => {
      const { fill, wait, frame, stage } = /** @type {any} */ (globalThis);
      let changes = 0;
      const observer = new MutationObserver((records) => (changes += records.length));
      /** The time of the middle one of many events, each shown by itself, in ms. @param {number} count */
      const middle = async (count) => {
        await fill(count);
        observer.observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true });
        changes = 0;
        const times = [];
        for (let step = 0; step < 80; step += 1) {
          const dialog = count + 10 + (step >> 1);
          const board = step % 2 === 0 ? { waiting: wait(dialog, 0) } : { left: { dialog } };
          let begun = 0;
          requestAnimationFrame(() => (begun = performance.now()));
          stage.client.emit('events', { stream: 'board/main', position: 1, events: [{ seq: 1, at: 0, event: { board } }] });
          await frame();
          times.push(performance.now() - begun);
        }
        observer.disconnect();
        return { time: times.sort((a, b) => a - b)[40], changes: changes / 80 };
      };
      await middle(50);
      return { few: await middle(50), many: await middle(many) };
    }, MANY);
    assert.ok(cost.many.changes < cost.few.changes + 20, JSON.stringify(cost));
    assert.ok(cost.many.time < 4 * Math.max(cost.few.time, 0.5), JSON.stringify(cost));
  });
});
