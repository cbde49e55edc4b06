// A dialog from the first word to the rating, and what can get in its way.

import assert from 'node:assert/strict';
import test from 'node:test';
import { Customer, Operator, story } from './people.mjs';
import { line } from './server.mjs';

/**
 * A dialog from the first word to the rating. What every step leaves must still be there after
 * whatever happens between two of them.
 *
 * @param {string} name
 * @param {(server: import('./server.mjs').Server, people: (Customer | Operator)[]) => Promise<void>} between
 */
async function wholeDialog(name, between) {
  await story(name, async (bring, server) => {
    const anna = await bring(Customer.at(server.url, 'anna'));
    const olga = await bring(Operator.at(server.url, 'olga'));
    const oleg = await bring(Operator.at(server.url, 'oleg'));
    const happens = () => between(server, [anna, olga, oleg]);
    const wanted = ['My card does not work', 'Hello, I am looking into it', 'I am abroad', 'Your card works abroad now'];

    await anna.open();
    await anna.say(wanted[0]);
    await anna.widget.locator('.from-bot').first().waitFor();
    await anna.shot(`${name}-customer-bot`);
    await happens();
    await anna.press('Ask for a person');
    await anna.widget.locator('.waiting').waitFor();
    await anna.shot(`${name}-customer-waiting`);
    const dialog = await anna.number();
    await happens();

    await olga.open(dialog);
    await olga.action('take').waitFor();
    assert.equal(await olga.field.isVisible(), false, 'a waiting dialog is read only');
    await olga.shot(`${name}-operator-waiting`);
    await olga.action('take').click();
    await olga.owns(dialog);
    await happens();
    await olga.say(wanted[1]);
    await anna.sees(wanted[1]);
    await olga.page.locator('.row.mine .tick-read').first().waitFor();
    await anna.say(wanted[2]);
    await olga.sees(wanted[2]);
    await anna.widget.locator('.row.mine .tick-read').first().waitFor();
    await olga.shot(`${name}-operator-talk`);
    await happens();

    await olga.action('hold').click();
    await olga.page.locator(`.section-held [data-dialog="${dialog}"]`).waitFor();
    await anna.widget.getByText('Please wait: the operator is looking into your question.').waitFor();
    await happens();
    await olga.action('resume').click();
    await olga.action('transfer').click();
    await olga.page.locator('select[name=to]').selectOption('operator:oleg');
    await olga.page.locator('textarea[name=note]').fill('Travels, limits checked');
    await olga.shot(`${name}-operator-transfer`);
    await olga.answer('Transfer');

    await oleg.open(dialog, 'mine');
    await oleg.page.locator('.kind-note').getByText('Travels, limits checked').waitFor();
    await olga.page.locator('.ownership').getByText('Oleg has this dialog.').waitFor();
    await happens();
    await oleg.say(wanted[3]);
    await anna.sees(wanted[3]);

    await oleg.action('wrapUp').click();
    await oleg.action('resume').waitFor();
    await happens();
    await oleg.action('close').click();
    await oleg.answer('Close');
    await anna.widget.locator('.rating').waitFor();
    await happens();
    await anna.widget.locator('.star').nth(4).click();
    await anna.widget.getByLabel('What should we know? (optional)').fill('Quick and kind');
    await anna.shot(`${name}-customer-rating`);
    await anna.press('Rate');
    await anna.widget.getByText('Thank you for the rating.').waitFor();

    assert.ok(!(await anna.said()).includes('Travels, limits checked'), 'a note is for staff only');
    for (const person of [anna, oleg]) {
      const said = (await person.said()).filter((text) => wanted.includes(text));
      assert.deepEqual(said, wanted, 'nothing is missing and nothing is there twice');
    }
  });
}

test('a dialog goes from the first word through bot, queue, take, hold, transfer and close to the rating', async () => {
  await wholeDialog('whole', async () => {});
});

test('the same dialog with the server killed and started again after each step', async () => {
  await wholeDialog('killed', async (server, people) => {
    await server.kill();
    await Promise.all(people.map((person) => person.offline()));
    await server.start();
    await Promise.all(people.map((person) => person.online()));
  });
});

test('a reload in the middle loses nothing, repeats nothing and goes on', async () => {
  await story('reload', async (bring, server) => {
    const boris = await bring(Customer.at(server.url, 'boris'));
    const olga = await bring(Operator.at(server.url, 'olga'));
    await boris.asksForPerson('before the reload');
    const dialog = await boris.number();
    await olga.take(dialog);
    await olga.say('an answer');
    await boris.sees('an answer');
    await olga.field.fill('a draft');

    await boris.page.reload();
    await olga.page.reload();
    await boris.open();
    await boris.sees('before the reload');
    await boris.sees('an answer');
    await olga.open(dialog, 'mine');
    await olga.sees('before the reload');
    assert.equal(await olga.field.inputValue(), 'a draft');
    assert.equal(await boris.number(), dialog);

    await boris.say('after the reload');
    await olga.sees('after the reload');
    await olga.say('still here');
    await boris.sees('still here');
    const people = (/** @type {string[]} */ said) => said.filter((text) => /reload|answer|here/u.test(text));
    assert.deepEqual(people(await boris.said()), ['before the reload', 'an answer', 'after the reload', 'still here']);
    assert.deepEqual(people(await olga.said()), ['before the reload', 'an answer', 'after the reload', 'still here']);
  });
});

test('a customer writes while offline, and it is sent once when the line is back', async () => {
  await story('offline', async (bring, server) => {
    const way = await line(server.url);
    try {
      const boris = await bring(Customer.at(way.url, 'boris'));
      const olga = await bring(Operator.at(server.url, 'olga'));
      await boris.asksForPerson('online');
      const dialog = await boris.number();
      await olga.take(dialog);

      way.cut();
      await boris.widget.locator('.banner.offline').waitFor();
      await boris.say('first while offline');
      await boris.say('second while offline');
      await boris.sees('second while offline');
      assert.equal(await boris.widget.locator('.sending .tick-sending').count(), 2);
      await boris.shot('customer-offline');
      await olga.say('said meanwhile');
      way.mend();
      await boris.sees('said meanwhile');
      await boris.accepted();
      await olga.sees('second while offline');
      const offline = (await olga.said()).filter((text) => text.endsWith('while offline'));
      assert.deepEqual(offline, ['first while offline', 'second while offline']);
    } finally {
      await way.end();
    }
  });
});

test('a message whose answer was lost is sent again, and is there once', async () => {
  await story('deaf', async (bring, server) => {
    const way = await line(server.url);
    try {
      const boris = await bring(Customer.at(way.url, 'boris'));
      const olga = await bring(Operator.at(server.url, 'olga'));
      await boris.asksForPerson('hello');
      await olga.take(await boris.number());
      way.deafen();
      await boris.say('did you get this?');
      await olga.sees('did you get this?');
      await boris.widget.locator('.sending .tick-sending').waitFor();
      way.cut();
      await boris.widget.locator('.banner.offline').waitFor();
      way.mend();
      await boris.accepted();
      // The outcome that was lost has come: nothing is kept to be sent any more.
      await boris.page.waitForFunction(() => {
        const kept = Object.entries(localStorage).filter(([key]) => key.startsWith('chatcore.outbox/'));
        return kept.length > 0 && kept.every(([, value]) => JSON.parse(value).outbox.lines.every((/** @type {any} */ line) => line.items.length === 0));
      });
      await boris.say('and this?');
      await olga.sees('and this?');
      for (const person of [boris, olga]) {
        assert.deepEqual((await person.said()).filter((text) => text.endsWith('this?')), ['did you get this?', 'and this?']);
      }
    } finally {
      await way.end();
    }
  });
});

test('an operator answers nothing from a stale view: the draft waits', async () => {
  await story('stale', async (bring, server) => {
    const way = await line(server.url);
    try {
      const anna = await bring(Customer.at(server.url, 'anna'));
      const olga = await bring(Operator.at(way.url, 'olga'));
      await anna.asksForPerson('are you there?');
      const dialog = await anna.number();
      await olga.take(dialog);

      way.cut();
      await olga.page.locator('.stale').getByText(/as of \d\d:\d\d:\d\d/u).waitFor();
      await olga.field.fill('held back');
      await olga.field.press('Enter');
      assert.equal(await olga.field.inputValue(), 'held back');
      await olga.page.getByText('No connection: the draft waits.').waitFor();
      assert.equal(await olga.action('close').isDisabled(), true);
      await olga.shot('operator-stale');
      await anna.say('hello?');
      way.mend();
      await olga.page.locator('.stale').waitFor({ state: 'hidden' });
      await olga.sees('hello?');
      assert.ok(!(await anna.said()).includes('held back'));
      await olga.field.press('Enter');
      await anna.sees('held back');
    } finally {
      await way.end();
    }
  });
});
