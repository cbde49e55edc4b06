// What else the desk and the customer can do: begin, edit, withdraw, label, reopen, find.

import assert from 'node:assert/strict';
import test from 'node:test';
import { launch } from './launch.mjs';
import { Customer, Operator, story } from './people.mjs';
import { startServer } from './server.mjs';

test('an operator begins a dialog, and the customer hears of it on the button', async () => {
  await story('begin', async (bring, server) => {
    const anna = await bring(Customer.at(server.url, 'anna'));
    const olga = await bring(Operator.at(server.url, 'olga'));
    await anna.widget.locator('.opener').waitFor();
    await olga.page.getByRole('button', { name: 'Begin a dialog' }).click();
    await olga.page.locator('input[name=customer]').fill('anna');
    await olga.answer('Begin');
    await olga.list('mine').first().waitFor();
    await olga.action('close').waitFor();
    await olga.say('Your new card is ready');
    await anna.widget.getByRole('button', { name: 'Open the chat, 1 new message' }).waitFor();
    await anna.shot('customer-unread');
    await anna.open();
    await anna.sees('Your new card is ready');
    await olga.page.locator('.tick-read').first().waitFor();
  });
});

test('an operator sees whether the customer is here, and how surely it is them', async () => {
  await story('presence', async (bring, server) => {
    const boris = await bring(Customer.at(server.url, 'boris'));
    const olga = await bring(Operator.at(server.url, 'olga'));
    await boris.asksForPerson('is anybody there?');
    await olga.take(await boris.number());
    const facts = olga.page.locator('.details .pairs');
    await facts.getByText('● here now').waitFor();
    await facts.getByText('known, not signed in').waitFor();
    await olga.shot('operator-presence');
    await boris.page.goto('about:blank');
    await facts.getByText(/○ left at \d\d:\d\d/u).waitFor();
    await boris.page.goto(boris.address);
    await facts.getByText('● here now').waitFor();
  });
});

test('customers who wait see their place, in their language, and move up', async () => {
  await story('place', async (bring, server) => {
    const anna = await bring(Customer.at(server.url, 'anna'));
    const boris = await bring(Customer.at(server.url, 'boris', { lang: 'ru' }));
    const olga = await bring(Operator.at(server.url, 'olga'));
    await anna.asksForPerson('first');
    const dialog = await anna.number();
    await anna.widget.locator('.place').getByText('You are next.').waitFor();
    await boris.open();
    await boris.say('второй');
    await boris.accepted();
    await boris.press('Позвать сотрудника');
    await boris.widget.locator('.place').getByText('Перед вами 1 человек.').waitFor();
    await boris.shot('customer-place-ru');
    await anna.widget.locator('.place').getByText('At most 1 person is ahead of you.').waitFor();
    await anna.shot('customer-place');
    await olga.take(dialog);
    await boris.widget.locator('.place').getByText('Вы следующий.').waitFor();
    await anna.widget.locator('.waiting').waitFor({ state: 'hidden' });
  });
});

test('messages are edited and withdrawn, each by its author', async () => {
  await story('edit', async (bring, server) => {
    const anna = await bring(Customer.at(server.url, 'anna'));
    const olga = await bring(Operator.at(server.url, 'olga'));
    await anna.asksForPerson('my card ends in 4812');
    await olga.take(await anna.number());

    await anna.field.press('ArrowUp');
    assert.equal(await anna.field.inputValue(), 'my card ends in 4812');
    await anna.say('my card ends in 4821');
    await olga.sees('my card ends in 4821');
    await olga.page.locator('.row .meta').getByText('edited').waitFor();

    await olga.say('a mistake');
    await anna.sees('a mistake');
    const wrong = olga.page.locator('.row.mine').filter({ hasText: 'a mistake' });
    await wrong.hover();
    await wrong.getByRole('button', { name: 'Withdraw' }).click();
    await anna.widget.getByText('Message withdrawn').waitFor();
    assert.ok(!(await anna.said()).includes('a mistake'));
  });
});

test('a dialog is labelled, written up, closed, found among the closed and opened again', async () => {
  await story('label', async (bring, server) => {
    const boris = await bring(Customer.at(server.url, 'boris'));
    const olga = await bring(Operator.at(server.url, 'olga'));
    await boris.asksForPerson('about my loan');
    const dialog = await boris.number();
    await olga.take(dialog);
    await olga.page.getByLabel('Topic').fill('loans');
    await olga.page.getByLabel('Topic').press('Enter');
    await olga.page.locator('.log').getByText(/set the topic: loans/u).waitFor();
    await olga.page.getByLabel('Add a tag').fill('call-back');
    await olga.page.getByLabel('Add a tag').press('Enter');
    await olga.page.locator('.tag').getByText('call back').waitFor();
    await olga.action('wrapUp').click();
    await boris.widget.locator('.rating').waitFor();
    await olga.shot('operator-wrap-up');
    await olga.action('close').click();
    await olga.page.locator('select[name=outcome]').selectOption('not_solved');
    await olga.answer('Close');
    await olga.page.locator('.facts').getByText(/closed/u).waitFor();

    await olga.page.locator('.section-closed summary').click();
    await olga.page.locator(`.section-closed [data-dialog="${dialog}"]`).waitFor();
    await olga.page.getByRole('searchbox').fill('nobody of this name');
    await olga.page.locator(`.section-closed [data-dialog="${dialog}"]`).waitFor({ state: 'detached' });
    await olga.page.getByRole('searchbox').fill('boris');
    await olga.page.locator(`.section-closed [data-dialog="${dialog}"]`).waitFor();

    await boris.press('Go on with it');
    await boris.widget.locator('.waiting').waitFor();
    await boris.say('one more question');
    await olga.take(dialog);
    await olga.sees('one more question');
  });
});

test('a button of the bot is pressed once, and is spent then', async () => {
  await story('buttons', async (bring, server) => {
    const anna = await bring(Customer.at(server.url, 'anna'));
    await anna.open();
    await anna.say('hi');
    const choice = anna.widget.locator('.choice:enabled').first();
    await choice.waitFor();
    const label = (await choice.textContent()) ?? '';
    await choice.click();
    await anna.widget.locator('.pressed').getByText(label, { exact: true }).waitFor();
    await anna.accepted();
    assert.equal((await anna.said()).filter((text) => text === label).length, 1);
  });
});

test('where WebSocket is blocked, both sides talk over a streaming fetch', async () => {
  await story('fetch', async (bring, server) => {
    const blocked = () => {
      const Blocked = class extends EventTarget {
        constructor() {
          super();
          queueMicrotask(() => /** @type {any} */ (this).onclose?.({ code: 1006, reason: '' }));
        }
        close() {}
      };
      Object.assign(globalThis, { WebSocket: Object.assign(Blocked, { OPEN: 1 }) });
    };
    const anna = await bring(Customer.at(server.url, 'anna', { before: blocked }));
    const olga = await bring(Operator.at(server.url, 'olga', { before: blocked }));
    await anna.asksForPerson('through the narrow door');
    await olga.take(await anna.number());
    await olga.sees('through the narrow door');
    await olga.say('and back');
    await anna.sees('and back');
  });
});

test('the start of the demo leads to everybody', async () => {
  const server = await startServer();
  const { context, close } = await launch({ viewport: { width: 900, height: 700 } });
  try {
    const page = await context.newPage();
    await page.goto(`${server.url}/?lang=en`);
    await page.getByRole('link', { name: /Anna/u }).waitFor();
    const links = await page.getByRole('link').evaluateAll((all) => all.map((link) => link.getAttribute('href')));
    assert.ok(links.includes('/customer.html?as=anna&lang=en'), String(links));
    assert.ok(links.includes('/operator.html?as=sofia&lang=en'), String(links));
    const opened = context.waitForEvent('page');
    await page.getByRole('link', { name: /Olga/u }).click();
    await (await opened).locator('.own-name').getByText('Olga').waitFor();
  } finally {
    await close();
    await server.end();
  }
});
