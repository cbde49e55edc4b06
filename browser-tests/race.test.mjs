// Two at once, and a server that dies.

import assert from 'node:assert/strict';
import test from 'node:test';
import { Customer, Operator, story } from './people.mjs';

test('of two operators who take one dialog one gets it, and the other keeps the draft', async () => {
  await story('race', async (bring, server) => {
    const anna = await bring(Customer.at(server.url, 'anna'));
    const olga = await bring(Operator.at(server.url, 'olga'));
    const oleg = await bring(Operator.at(server.url, 'oleg'));
    await anna.asksForPerson('who will have me?');
    const dialog = await anna.number();
    for (const operator of [olga, oleg]) {
      await operator.take(dialog);
      await operator.field.fill('my draft');
      await operator.action('return').click();
      await operator.answer('Return to queue');
      await operator.action('take').waitFor();
      assert.equal(await operator.field.inputValue(), 'my draft');
    }
    await olga.open(dialog);
    await olga.action('take').waitFor();

    // Pressed without waiting for the pointer to get there: the news of the other would be faster.
    await Promise.all([olga, oleg].map((operator) => operator.action('take').evaluate((button) => /** @type {HTMLElement} */ (button).click())));
    const lost = (/** @type {Operator} */ operator) => operator.page.locator('.ownership').getByText(/has this dialog/u);
    const loser = await Promise.any([olga, oleg].map((operator) => lost(operator).waitFor().then(() => operator)));
    const winner = loser === olga ? oleg : olga;
    await winner.owns(dialog);
    assert.equal(await lost(winner).count(), 0);
    assert.match((await loser.page.locator('.ownership').textContent()) ?? '', /(Olga|Oleg) has this dialog\. Your draft is kept\./u);
    assert.equal(await loser.field.inputValue(), 'my draft');
    assert.equal(await loser.page.locator('.thread .send').isDisabled(), true);
    await loser.shot('operator-lost-race');
    await winner.field.press('Enter');
    await anna.sees('my draft');
  });
});

test('a supervisor takes over while the owner types: the draft stays and says who has it', async () => {
  await story('takeover', async (bring, server) => {
    const boris = await bring(Customer.at(server.url, 'boris'));
    const olga = await bring(Operator.at(server.url, 'olga'));
    const sofia = await bring(Operator.at(server.url, 'sofia'));
    await boris.asksForPerson('please help');
    const dialog = await boris.number();
    await olga.take(dialog);
    await olga.field.fill('half an answ');
    await sofia.open(dialog, 'others');
    await sofia.action('assign').click();
    await sofia.page.locator('select[name=operator]').selectOption('sofia');
    await sofia.answer('Assign');
    await sofia.owns(dialog);
    await olga.page.locator('.ownership').getByText('Sofia has this dialog. Your draft is kept.').waitFor();
    assert.equal(await olga.field.inputValue(), 'half an answ');
  });
});

test('two tabs of a customer get one dialog', async () => {
  await story('tabs', async (bring, server) => {
    const one = await bring(Customer.at(server.url, 'anna'));
    const two = await bring(one.tab());
    await one.page.bringToFront();
    await one.open();
    await two.page.bringToFront();
    await two.open();
    await Promise.all([one.say('from one'), two.say('from two')]);
    for (const tab of [one, two]) {
      await tab.page.bringToFront();
      await tab.sees('from one');
      await tab.sees('from two');
    }
    assert.equal(await one.number(), await two.number());
    const both = (await one.said()).filter((text) => text.startsWith('from ')).sort();
    assert.deepEqual(both, ['from one', 'from two']);
  });
});

test('a server killed while both write is missed by nobody: nothing lost, nothing twice', async () => {
  await story('kill', async (bring, server) => {
    const anna = await bring(Customer.at(server.url, 'anna'));
    const olga = await bring(Operator.at(server.url, 'olga'));
    await anna.asksForPerson('text 0');
    const dialog = await anna.number();
    await olga.take(dialog);
    await olga.say('answer 0');
    await anna.sees('answer 0');
    await olga.field.fill('answer 1');

    const [, killed] = [anna.say('text 1'), server.kill()];
    await killed;
    await anna.widget.locator('.banner.offline').waitFor();
    await anna.sees('text 1');
    await anna.say('text 2');
    await anna.say('text 3');
    await olga.page.locator('.stale').waitFor();
    await server.start();

    await olga.page.locator('.stale').waitFor({ state: 'hidden', timeout: 60_000 });
    await anna.widget.locator('.banner.offline').waitFor({ state: 'detached', timeout: 60_000 });
    await anna.accepted();
    await olga.sees('text 3');
    assert.equal(await olga.field.inputValue(), 'answer 1');
    await olga.field.press('Enter');
    await anna.sees('answer 1');
    const wanted = ['text 0', 'answer 0', 'text 1', 'text 2', 'text 3', 'answer 1'];
    for (const person of [anna, olga]) {
      assert.deepEqual((await person.said()).filter((text) => /^(text|answer) \d$/u.test(text)), wanted);
    }
    await anna.page.reload();
    await anna.open();
    await anna.sees('answer 1');
    assert.deepEqual((await anna.said()).filter((text) => /^(text|answer) \d$/u.test(text)), wanted);
  });
});
