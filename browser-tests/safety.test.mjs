// What people write is text to the pages, whatever it looks like; and what must not be kept is not.

import assert from 'node:assert/strict';
import test from 'node:test';
import { Customer, Operator, story } from './people.mjs';

/** Each would say so if a page took it for more than text. */
const MARKUP = [
  '<img src=x onerror="window.taken=1">',
  '<script>window.taken=2</script>',
  '"><svg onload=window.taken=3>',
  '<a href="javascript:window.taken=4">here</a>',
  '{{constructor.constructor("window.taken=5")()}}',
  '${window.taken=6}',
  '&lt;b&gt;not bold&lt;/b&gt;',
  '<iframe srcdoc="<script>parent.taken=7</script>"></iframe>',
  '<style>*{display:none}</style>',
];

/** @param {Customer | Operator} person */
const taken = (person) => person.page.evaluate(() => /** @type {{ taken?: number }} */ (/** @type {unknown} */ (window)).taken ?? null);

test('markup in a message or a note is shown as it was written, and does nothing', async () => {
  await story('markup', async (bring, server) => {
    const anna = await bring(Customer.at(server.url, 'anna'));
    const olga = await bring(Operator.at(server.url, 'olga'));
    await anna.asksForPerson(/** @type {string} */ (MARKUP[0]));
    const dialog = await anna.number();
    await olga.take(dialog);
    for (const text of MARKUP) {
      await anna.say(text);
      await olga.messages.getByText(text, { exact: true }).last().waitFor();
      await olga.say(text);
      await anna.messages.getByText(text, { exact: true }).nth(1).waitFor();
    }
    const note = olga.page.getByLabel('A note about the customer, for staff only');
    await note.fill(/** @type {string} */ (MARKUP[0]));
    await note.press('Enter');
    await olga.page.locator('.about .notes li').getByText(/** @type {string} */ (MARKUP[0])).waitFor();
    for (const person of [anna, olga]) {
      assert.equal(await taken(person), null);
      const made = person.page.locator('.log :is(img, script, iframe, style, a[href^="javascript:"]), .about :is(img, script, iframe)');
      assert.equal(await made.count(), 0);
    }
  });
});

test('a card number is masked for everybody, and its writer is told', async () => {
  await story('masked', async (bring, server) => {
    const anna = await bring(Customer.at(server.url, 'anna'));
    const olga = await bring(Operator.at(server.url, 'olga'));
    await anna.asksForPerson('my card does not work');
    const dialog = await anna.number();
    await olga.take(dialog);
    await anna.say('it is 4111 1111 1111 1111');
    for (const person of [anna, olga]) {
      await person.sees('it is 4111 11•• •••• 1111');
    }
    await anna.widget.getByText('For your safety a part of this was not kept').waitFor();
    assert.equal(await olga.page.getByText('For your safety').count(), 0);
    await anna.shot('customer-masked');

    await anna.say('or 5555 5555');
    await olga.sees('or 5555 5555');
    await anna.say('5555 4444');
    for (const person of [anna, olga]) {
      await person.sees('•••• ••••');
      await person.messages.getByText('or 5555 5555').waitFor({ state: 'detached' });
    }
    const all = [...(await anna.said()), ...(await olga.said())];
    assert.ok(!all.some((text) => text.includes('5555 4444') || text.includes('1111 1111')), String(all));
  });
});
