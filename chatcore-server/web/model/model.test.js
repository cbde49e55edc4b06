import assert from 'node:assert/strict';
import test from 'node:test';
import { Board } from './board.js';
import { Dialog } from './dialog.js';
import { Outgoing } from './outgoing.js';
import { rowsOf } from './rows.js';

const anna = { customer: 'anna' };
const olga = { staff: 'olga' };
const queue = { desk: 'main', queue: 'cards' };
const event = (seq, dialog, at = seq * 1_000) => ({ seq, hash: `h${seq}`, at, visibility: 'everyone', event: { dialog } });
const message = (seq, text, author = anna, at) => event(seq, { message: { author, body: { text }, reply_to: null } }, at);
const texts = (dialog) => dialog.entries.filter(({ kind }) => kind === 'message').map(({ body }) => body.text);

function dialogOf(...events) {
  const dialog = new Dialog(17);
  dialog.reset(0);
  dialog.live(events, events.at(-1).seq);
  return dialog;
}

test('the life of a dialog is followed through its events', () => {
  const dialog = dialogOf(event(1, { opened: { customer: 'anna', channel: 'web', by: anna, topic: null } }));
  const steps = [
    [{ waiting: { queue, reason: 'asked', by: anna, since: 500, epoch: 1 } }, 'waiting', null, 1],
    [{ assigned: { operator: 'olga', queue, epoch: 2, desk: 'main', grant: 1, from: null } }, 'assigned', 'olga', 2],
    ['held', 'on_hold', 'olga', 2],
    ['resumed', 'assigned', 'olga', 2],
    ['wrap_up', 'wrap_up', 'olga', 2],
    [{ closed: { by: olga, outcome: 'solved', epoch: 3 } }, 'closed', null, 3],
    [{ reopened: { by: anna, epoch: 4 } }, 'bot', null, 4],
  ];
  steps.forEach(([what, phase, owner, epoch], index) => {
    dialog.live([event(index + 2, what)], index + 2);
    assert.deepEqual([dialog.phase, dialog.owner, dialog.epoch], [phase, owner, epoch]);
  });
});

test('older pages join below, and never change who owns the dialog now', () => {
  const dialog = new Dialog(17);
  dialog.reset(6, { customer: 'anna', phase: 'assigned', owner: 'olga', epoch: 2, queue, desk: 'main', topic: 'cards', tags: [] });
  dialog.live([message(7, 'new')], 7);
  dialog.older([message(5, 'b'), event(6, { closed: { by: olga, outcome: 'old', epoch: 9 } })], 4);
  dialog.older([event(1, { opened: { customer: 'anna', channel: 'web', by: anna, topic: 'cards' } }), message(3, 'a')], 0);
  assert.deepEqual(texts(dialog), ['a', 'b', 'new']);
  assert.deepEqual([dialog.phase, dialog.owner, dialog.epoch, dialog.channel, dialog.topic], ['assigned', 'olga', 2, 'web', 'cards']);
  assert.ok(dialog.complete);
});

test('an event that comes both live and by history is shown once', () => {
  const dialog = new Dialog(17);
  dialog.reset(2);
  dialog.live([message(3, 'c')], 3);
  dialog.live([message(3, 'c')], 3);
  dialog.older([message(1, 'a'), message(2, 'b'), message(3, 'c')], 0);
  dialog.older([message(1, 'a')], 0);
  assert.deepEqual(texts(dialog), ['a', 'b', 'c']);
});

test('a text that was erased is said to be, and nothing else of the dialog suffers', () => {
  const erased = (seq) => event(seq, { message: { author: anna, body: 'erased', reply_to: null } });
  const dialog = dialogOf(erased(1), message(2, 'b'), event(3, { edited: { message: 2, body: 'erased' } }), message(4, 'c'));
  assert.deepEqual(
    dialog.entries.map(({ body, erased }) => [body?.text ?? null, erased]),
    [[null, true], [null, true], ['c', false]],
  );
  const rows = rowsOf(dialog, [], { me: olga }).filter(({ kind }) => kind === 'entry');
  assert.equal(rows.length, 3);
});

test('the newest edit holds, whether the message was loaded before or after it', () => {
  const edit = (seq, text) => event(seq, { edited: { message: 1, body: { text } } });
  const live = dialogOf(message(1, 'a'), edit(2, 'b'), edit(3, 'c'));
  const late = new Dialog(17);
  late.reset(3);
  late.older([edit(2, 'b'), edit(3, 'c')], 1);
  late.older([message(1, 'a')], 0);
  for (const dialog of [live, late]) {
    assert.deepEqual(texts(dialog), ['c']);
    assert.ok(dialog.entry(1).edited);
  }
});

test('ticks follow the other side only', () => {
  const dialog = dialogOf(message(1, 'hi', olga));
  const told = (participant, delivered, read) => dialog.moved([{ dialog: 17, participant, delivered, read }]);
  told({ staff: 'boris' }, 9, 9);
  assert.equal(dialog.tick(dialog.entry(1)), 'accepted');
  told(anna, 1, 0);
  assert.equal(dialog.tick(dialog.entry(1)), 'delivered');
  told(anna, 1, 1);
  told(anna, 0, 0);
  assert.equal(dialog.tick(dialog.entry(1)), 'read');
});

test('unread counts what the other side wrote after the cursor', () => {
  const dialog = dialogOf(message(1, 'a'), message(2, 'b'), message(3, 'mine', olga), message(4, 'c'));
  dialog.moved([{ dialog: 17, participant: olga, delivered: 4, read: 1 }]);
  assert.equal(dialog.unread(olga), 2);
  assert.equal(dialog.unread(anna), 1);
});

test('a board moves dialogs from the line to operators and back', () => {
  const board = new Board();
  board.reset({ config: { queues: {}, operators: { olga: { name: 'Olga', capacity: 3, queues: [] } } }, waiting: [], operators: [], grants: [] });
  const tell = (...events) => board.live(events.map((what, index) => ({ seq: index, at: 0, event: { board: what } })));
  const wait = (dialog, priority, since) => ({ wait: { dialog, customer: 'anna', queue: 'cards', channel: 'web', priority, since, epoch: 1 }, boost: 0 });
  tell({ waiting: wait(1, 0, 10) }, { waiting: wait(2, 0, 5) }, { waiting: wait(3, 9, 20) });
  assert.deepEqual([...board.line].map((item) => item.wait.dialog), [3, 2, 1]);
  tell({ granted: { grant: 7, dialog: 2, customer: 'anna', operator: 'olga', by: olga } });
  assert.equal(board.ownerOf(2), 'olga');
  assert.equal(board.load('olga'), 1);
  tell({ held: { grant: 7, dialog: 2, epoch: 2 } });
  assert.equal(board.held('olga')[0].epoch, 2);
  tell({ freed: { grant: 7, dialog: 2 } }, { waiting: wait(2, 0, 5) });
  assert.equal(board.load('olga'), 0);
  assert.deepEqual([...board.line].map((item) => item.wait.dialog), [3, 2, 1]);
});

const pending = (id, text) => ({ id, target: anna, at: 0, command: { customer: { message: { dialog: 17, body: { text }, reply_to: null, owner_epoch: null } } } });
const accepted = (seq) => ({ accepted: { dialog: 17, seq } });

test('a message on its way vanishes when the dialog shows it, whichever news comes first', () => {
  for (const first of ['outcome', 'event']) {
    const outgoing = new Outgoing();
    const dialog = dialogOf(message(1, 'x'));
    outgoing.pending([pending('p', 'hi')]);
    const tell = {
      outcome: () => outgoing.outcome({ ...pending('p', 'hi'), outcome: accepted(2) }, (_, seq) => dialog.entry(seq) !== null),
      event: () => {
        dialog.live([message(2, 'hi')], 2);
        outgoing.shown(17, [message(2, 'hi')], anna);
      },
    };
    tell[first]();
    assert.equal(outgoing.of(17).length, first === 'outcome' ? 1 : 0);
    outgoing.pending(first === 'event' ? [pending('p', 'hi')] : []);
    tell[first === 'outcome' ? 'event' : 'outcome']();
    assert.deepEqual(outgoing.of(17), []);
  }
});

test('a rejected message stays, with its reason', () => {
  const outgoing = new Outgoing();
  outgoing.pending([pending('p', 'hi')]);
  outgoing.outcome({ ...pending('p', 'hi'), outcome: { rejected: { code: 'stale_epoch', current: 3 } } }, () => false);
  assert.deepEqual(outgoing.of(17).map(({ state, code, detail }) => [state, code, detail]), [['failed', 'stale_epoch', { current: 3 }]]);
});

test('rows are parted by day, grouped by author, and end with what is on its way', () => {
  const day = 24 * 3_600_000;
  const dialog = dialogOf(message(1, 'a', anna, day), message(2, 'b', anna, day + 1), message(3, 'c', olga, 3 * day));
  const outgoing = new Outgoing();
  outgoing.pending([pending('p', 'hi')]);
  const rows = rowsOf(dialog, outgoing.of(17), { me: anna });
  assert.deepEqual(rows.map((row) => row.kind), ['day', 'entry', 'entry', 'day', 'entry', 'sending']);
  assert.deepEqual(rows.filter((row) => row.kind === 'entry').map(({ first }) => first), [true, false, true]);
});

test('the writer, and nobody else, is told that a part of a message was not kept', () => {
  const dialog = dialogOf(message(1, 'my card 4111 11•• •••• 1111'), message(2, 'a • b • c'), message(3, '•••', olga));
  const masked = rowsOf(dialog, [], { me: anna }).filter((row) => row.kind === 'entry').map((row) => row.masked);
  assert.deepEqual(masked, [true, false, false]);
});

test('a pressed button spends its message, and any answer spends quick replies', () => {
  const buttons = [{ id: 'yes', label: 'Yes' }];
  const says = (seq, body, reply_to = null, author = 'bot') => event(seq, { message: { author, body, reply_to } });
  const dialog = dialogOf(
    says(1, { buttons: { text: '?', buttons } }),
    says(2, { quick_replies: { text: '?', replies: buttons } }),
    says(3, { text: 'no thanks' }, null, anna),
  );
  const spent = () => rowsOf(dialog, [], { me: anna }).filter((row) => row.kind === 'entry').map((row) => [row.spent, row.chosen]);
  assert.deepEqual(spent().slice(0, 2), [[false, null], [true, null]]);
  dialog.live([says(4, { pressed: buttons[0] }, 1, anna)], 4);
  assert.deepEqual(spent()[0], [true, 'yes']);
});

test('where a channel tells nothing, how far an answer got is unknown, not guessed', () => {
  for (const [channel, tick] of [['web', 'accepted'], ['telegram', 'unknown']]) {
    const dialog = dialogOf(event(1, { opened: { customer: 'anna', channel, by: anna, topic: null } }), message(2, 'hi', olga));
    const row = () => rowsOf(dialog, [], { me: olga }).find(({ key }) => key === 'e2');
    assert.equal(row().tick, tick);
    dialog.moved([{ dialog: 17, participant: anna, delivered: 2, read: 0 }]);
    assert.equal(row().tick, 'delivered');
  }
});

test('a customer sees no ticks under what others wrote', () => {
  const dialog = dialogOf(message(1, 'hi', olga), message(2, 'hello', anna));
  assert.deepEqual(rowsOf(dialog, [], { me: anna }).filter(({ kind }) => kind === 'entry').map(({ tick }) => tick), [null, 'accepted']);
});

test('how surely a customer is who they say is what they wrote last with, and is said where it changes', () => {
  const sure = (seq, assurance, author = anna) => event(seq, { message: { author, body: { text: `${seq}` }, reply_to: null, assurance } });
  const dialog = new Dialog(17);
  dialog.reset(4, { customer: 'anna', phase: 'assigned', owner: 'olga', epoch: 2, queue, desk: 'main', assurance: 'known' });
  assert.equal(dialog.assurance, 'known');
  dialog.live([sure(5, 'authenticated'), sure(6, undefined, olga)], 6);
  dialog.older([sure(3, 'anonymous'), sure(4, 'known')], 2);
  assert.equal(dialog.assurance, 'authenticated');
  const proofs = (me) => rowsOf(dialog, [], { me }).flatMap((row) => (row.kind === 'entry' ? [row.proof] : []));
  assert.deepEqual(proofs(olga), [null, 'known', 'authenticated', null]);
  assert.deepEqual(proofs(anna), [null, null, null, null]);
  dialog.live([event(7, { edited: { message: 5, body: { text: 'changed' }, assurance: 'anonymous' } })], 7);
  assert.equal(dialog.assurance, 'anonymous');
  assert.deepEqual(proofs(olga), [null, 'known', 'anonymous', null]);
});

test('what a channel gave up is marked as failed, whichever comes first, and for staff alone', () => {
  for (const order of ['forth', 'back']) {
    const dialog = new Dialog(17);
    const told = event(6, { undelivered: { message: 5, reason: 'unavailable' } });
    if (order === 'forth') {
      dialog.reset(4);
      dialog.live([message(5, 'b'), told], 6);
    } else {
      dialog.reset(5);
      dialog.live([told], 6);
      dialog.older([message(5, 'b')], 4);
    }
    assert.equal(dialog.entry(5)?.undelivered, 'unavailable', order);
    assert.equal(dialog.entry(6), null, 'it is no line of its own');
    const tick = (me) => rowsOf(dialog, [], { me }).find(({ key }) => key === 'e5')?.tick;
    assert.equal(tick(olga), 'failed');
    assert.notEqual(tick({ customer: 'anna' }), 'failed');
  }
});
