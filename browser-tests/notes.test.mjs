// What staff keep about a customer: beside each of their dialogs, and never at the customer's.

import assert from 'node:assert/strict';
import test from 'node:test';
import { Customer, Operator, story } from './people.mjs';

/** @param {Operator} operator */
const notesOf = (operator) => operator.page.locator('.about .notes li');

test('a note about a customer stays with them from dialog to dialog, and they never get it', async () => {
  await story('notes', async (bring, server) => {
    const anna = await bring(Customer.at(server.url, 'anna'));
    /** Everything that the customer's page was told. @type {string[]} */
    const told = [];
    anna.page.on('websocket', (socket) => socket.on('framereceived', ({ payload }) => told.push(String(payload))));
    await anna.page.reload();
    const olga = await bring(Operator.at(server.url, 'olga'));
    await anna.asksForPerson('first');
    const first = await anna.number();
    await olga.take(first);
    const field = olga.page.getByLabel('A note about the customer, for staff only');
    await field.fill('Prefers to be called');
    await field.press('Enter');
    await notesOf(olga).getByText('Prefers to be called').waitFor();
    assert.equal(await field.inputValue(), '');
    await field.fill('Wrong customer');
    await olga.page.getByRole('button', { name: 'Keep the note' }).click();
    await notesOf(olga).nth(1).getByRole('button', { name: 'Take the note away' }).click();
    await notesOf(olga).getByText('Wrong customer').waitFor({ state: 'detached' });
    await olga.shot('operator-notes');

    // A supervisor sees it, also after a reload.
    const chief = await bring(Operator.at(server.url, 'sofia'));
    await chief.page.locator(`.section-others button.dialog[data-dialog="${first}"]`).click();
    await notesOf(chief).getByText('Prefers to be called').waitFor();

    await olga.say('Good bye');
    await anna.sees('Good bye');
    await olga.action('close').click();
    await olga.answer('Close');
    await anna.widget.locator('.rating').waitFor();
    await olga.page.reload();
    await anna.press('New conversation');
    await anna.field.waitFor();
    await anna.say('second');
    await anna.accepted();
    await anna.press('Ask for a person');
    await anna.widget.locator('.waiting').waitFor();
    const second = await anna.number();
    assert.notEqual(second, first);
    await olga.page.locator('.status[data-status=available]').waitFor();
    await olga.open(second);
    await notesOf(olga).getByText('Prefers to be called').waitFor();
    assert.ok(told.some((frame) => frame.includes('Good bye')), 'what she was told is seen here');
    assert.deepEqual(told.filter((frame) => /called|Wrong customer|customer_note/u.test(frame)), []);
  });
});
