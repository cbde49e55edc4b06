import assert from 'node:assert/strict';
import test from 'node:test';
import { Outbox } from './outbox.js';

const anna = { customer: 'anna' };
const desk = { desk: 'main' };
const say = (text) => ({ customer: { message: { dialog: 1, body: { text }, reply_to: null, owner_epoch: null } } });
const accepted = (seq) => ({ outcome: { accepted: { dialog: 1, seq } } });
const conflict = { outcome: { rejected: { code: 'id_conflict' } } };

function filled(...texts) {
  const outbox = new Outbox();
  texts.forEach((text) => outbox.add(anna, say(text), text, 0));
  return outbox;
}
const sent = (outbox, window = 64) =>
  outbox.take(window).map(({ n, command }) => `${n}${command.customer.message.body.text}`);
const reply = (outbox, n, what) => outbox.reply({ target: anna, n, reply: what });
const refuse = (outbox, n, code) => outbox.refused({ code, text: '', target: anna, n });

test('commands are counted per target from 1 and sent once', () => {
  const outbox = filled('a', 'b');
  outbox.add(desk, { desk: { take: { dialog: 1 } } }, 'take', 0);
  assert.deepEqual(outbox.take(64).map(({ n }) => n), [1, 2, 1]);
  assert.deepEqual(outbox.take(64), []);
});

test('no more than the window is sent without durable', () => {
  const outbox = filled('a', 'b', 'c');
  assert.deepEqual(sent(outbox, 2), ['1a', '2b']);
  outbox.durable(anna, 1);
  assert.deepEqual(sent(outbox, 2), ['3c']);
});

test('after a reconnect what has no outcome is sent again with the same numbers', () => {
  const outbox = filled('a', 'b', 'c');
  sent(outbox);
  outbox.durable(anna, 2);
  reply(outbox, 1, accepted(5));
  outbox.disconnected();
  assert.deepEqual(sent(outbox), ['2b', '3c']);
});

test('a saved outbox goes on where it was, in another life of the page', () => {
  const outbox = filled('a', 'b');
  sent(outbox);
  reply(outbox, 1, accepted(5));
  const again = new Outbox(JSON.parse(JSON.stringify(outbox.save())));
  again.add(anna, say('c'), 'c', 0);
  assert.deepEqual(sent(again), ['2b', '3c']);
});

test('an outcome is told once, and acknowledged once and only up to the first unanswered', () => {
  const outbox = filled('a', 'b', 'c');
  sent(outbox);
  assert.equal(reply(outbox, 1, accepted(5)).item.id, 'a');
  assert.equal(reply(outbox, 1, accepted(5)), null);
  assert.deepEqual(outbox.settle(), [{ target: anna, n: 1 }]);
  assert.deepEqual(outbox.settle(), []);
  reply(outbox, 3, accepted(7));
  assert.deepEqual(outbox.settle(), []);
  assert.deepEqual(sent(outbox), ['2b'], 'the lost outcome is asked for');
  reply(outbox, 2, accepted(6));
  assert.deepEqual(outbox.settle(), [{ target: anna, n: 3 }]);
});

test('expected sends again from there, once, after all answers have come', () => {
  const outbox = filled('a', 'b', 'c');
  sent(outbox);
  reply(outbox, 2, { expected: { n: 1 } });
  assert.deepEqual(sent(outbox), []);
  reply(outbox, 3, { expected: { n: 1 } });
  assert.deepEqual(sent(outbox), []);
  refuse(outbox, 1, 'overloaded');
  assert.deepEqual(sent(outbox), ['1a', '2b', '3c']);
});

test('a server that forgot the device makes it count anew', () => {
  const outbox = new Outbox({ lines: [{ target: anna, first: 9, items: [{ id: 'a', command: say('a'), at: 0 }] }] });
  outbox.add(anna, say('b'), 'b', 0);
  assert.deepEqual(sent(outbox), ['9a', '10b']);
  reply(outbox, 9, { expected: { n: 1 } });
  reply(outbox, 10, { expected: { n: 1 } });
  assert.deepEqual(sent(outbox), ['1a', '2b']);
});

test('an error frees the number: the next command takes it', () => {
  const outbox = filled('a', 'b', 'c');
  sent(outbox);
  assert.deepEqual(refuse(outbox, 1, 'forbidden').again, false);
  reply(outbox, 2, { expected: { n: 1 } });
  reply(outbox, 3, { expected: { n: 1 } });
  assert.deepEqual(sent(outbox), ['1b', '2c']);
});

test('a refused command that is the last one leaves its number to the next', () => {
  const outbox = filled('a');
  sent(outbox);
  assert.equal(refuse(outbox, 1, 'invalid').item.id, 'a');
  outbox.add(anna, say('b'), 'b', 0);
  assert.deepEqual(sent(outbox), ['1b']);
});

test('overload keeps the command, its number and the order', () => {
  const outbox = filled('a', 'b');
  sent(outbox);
  assert.equal(refuse(outbox, 1, 'overloaded').again, true);
  reply(outbox, 2, { expected: { n: 1 } });
  assert.deepEqual(outbox.take(64, () => true), [], 'paused');
  assert.deepEqual(sent(outbox), ['1a', '2b']);
});

test('a conflict needs a new device once all answers are in, and what was accepted is not sent again', () => {
  const outbox = filled('a', 'b', 'c');
  sent(outbox);
  reply(outbox, 1, conflict);
  assert.equal(outbox.conflicted(), false);
  reply(outbox, 2, conflict);
  reply(outbox, 3, accepted(9));
  assert.equal(outbox.conflicted(), true);
  assert.deepEqual(sent(outbox), []);
  outbox.restart();
  assert.equal(outbox.conflicted(), false);
  assert.deepEqual(sent(outbox), ['1a', '2b']);
});

test('a forgotten device sends again under a new id only what it never sent before', () => {
  const outbox = filled('old');
  sent(outbox);
  outbox.disconnected();
  outbox.add(anna, say('new'), 'new', 0);
  assert.deepEqual(sent(outbox), ['1old', '2new']);
  assert.equal(reply(outbox, 1, 'forgotten').outcome, 'settled');
  assert.equal(outbox.conflicted(), false, 'an answer is on its way');
  assert.equal(reply(outbox, 2, 'forgotten'), null);
  assert.equal(outbox.conflicted(), true);
  outbox.restart();
  assert.deepEqual(sent(outbox), ['1new']);
});

test('what may have been done is known after a reload, and told as settled when no answer can come', () => {
  const before = filled('a', 'b', 'c');
  sent(before, 2);
  const outbox = new Outbox(JSON.parse(JSON.stringify(before.save())));
  assert.deepEqual(sent(outbox, 1), ['1a']);
  assert.equal(reply(outbox, 1, 'forgotten').outcome, 'settled');
  assert.deepEqual(sent(outbox, 1), ['2b']);
  assert.equal(reply(outbox, 2, 'forgotten').outcome, 'settled');
  assert.deepEqual(sent(outbox, 1), ['3c']);
  assert.equal(reply(outbox, 3, 'forgotten'), null);
  assert.equal(outbox.conflicted(), true);
  outbox.restart();
  assert.deepEqual(sent(outbox), ['1c']);
});

test('a number that was told as too high was not taken', () => {
  const outbox = filled('a', 'b');
  sent(outbox);
  outbox.disconnected();
  sent(outbox);
  reply(outbox, 1, accepted(1));
  reply(outbox, 2, { expected: { n: 2 } });
  assert.deepEqual(sent(outbox), ['2b']);
  assert.equal(reply(outbox, 2, 'forgotten'), null, 'so it is free');
  outbox.restart();
  assert.deepEqual(sent(outbox), ['1b']);
});

test('before a new device id, what may have been done elsewhere is asked for under the old one', () => {
  const outbox = filled('a');
  outbox.add(desk, { desk: { take: { dialog: 1 } } }, 'take', 0);
  outbox.add(desk, { desk: { take: { dialog: 2 } } }, 'later', 0);
  outbox.take(2);
  outbox.disconnected();
  outbox.take(1);
  assert.equal(outbox.refused({ code: 'overloaded', text: '', target: anna, n: 1 }).again, true);
  outbox.take(1);
  reply(outbox, 1, conflict);
  assert.equal(outbox.conflicted(), false, 'the take may have been done');
  assert.deepEqual(outbox.take(64).map(({ n }) => n), [1], 'nothing new under the old id');
  outbox.reply({ target: desk, n: 1, reply: { expected: { n: 1 } } });
  assert.equal(outbox.conflicted(), true, 'it was not');
});

test('settled is an end', () => {
  const outbox = filled('a');
  sent(outbox);
  assert.equal(reply(outbox, 1, 'settled').outcome, 'settled');
  assert.deepEqual(outbox.pending(), []);
  assert.equal(outbox.awaiting(), false);
});

test('any mix of losses and refusals delivers each command once and in order', () => {
  for (let seed = 1; seed <= 300; seed += 1) {
    const server = new Server(seed);
    const texts = Array.from({ length: 8 }, (_, index) => String.fromCharCode(97 + index));
    let outbox = filled(...texts);
    for (let round = 0; round < 400 && outbox.pending().length > 0; round += 1) {
      outbox = server.round(outbox);
    }
    assert.deepEqual(outbox.pending(), [], `seed ${seed}`);
    assert.deepEqual(server.taken.map(({ text }) => text), texts, `seed ${seed}`);
  }
});

test('any mix with a server that forgets does nothing twice, and loses only what may have been done', () => {
  for (let seed = 1; seed <= 300; seed += 1) {
    const server = new Server(seed, 10);
    const texts = Array.from({ length: 8 }, (_, index) => String.fromCharCode(97 + index));
    let outbox = filled(...texts);
    for (let round = 0; round < 400 && outbox.pending().length > 0; round += 1) {
      outbox = server.round(outbox);
      if (outbox.conflicted()) {
        outbox.restart();
        server.device();
      }
    }
    assert.deepEqual(outbox.pending(), [], `seed ${seed}`);
    assert.equal(new Set(server.done).size, server.done.length, `seed ${seed}: done twice`);
    const lost = texts.filter((text) => !server.done.includes(text));
    assert.deepEqual(lost.filter((text) => !server.doubtful.has(text)), [], `seed ${seed}: lost`);
  }
});

/** A server that takes only the next number, and loses answers, refuses and cuts at random. */
class Server {
  constructor(seed, forgets = 0) {
    this.state = seed * 2654435761;
    this.forgets = forgets;
    this.taken = [];
    /** What was done, under any device id. */
    this.done = [];
    /** What was sent and had no answer. */
    this.doubtful = new Set();
    this.forgotten = false;
  }
  device() {
    this.taken = [];
    this.forgotten = false;
  }
  chance(percent) {
    this.state = (Math.imul(this.state, 1103515245) + 12345) >>> 0;
    return (this.state >>> 8) % 100 < percent;
  }
  round(outbox) {
    const cut = this.chance(20);
    this.forgotten ||= this.chance(this.forgets);
    for (const { n, command } of outbox.take(3)) {
      const text = command.customer.message.body.text;
      if (this.chance(10)) {
        outbox.refused({ code: 'overloaded', text: '', target: anna, n });
        continue;
      }
      const answer = this.decide(n, text);
      if (!cut || this.chance(50)) {
        reply(outbox, n, answer);
      } else {
        this.doubtful.add(text);
      }
    }
    if (!cut) {
      return outbox;
    }
    if (this.chance(50)) {
      return new Outbox(JSON.parse(JSON.stringify(outbox.save())));
    }
    outbox.disconnected();
    return outbox;
  }
  decide(n, text) {
    if (this.forgotten) {
      return 'forgotten';
    }
    if (n > this.taken.length + 1) {
      return { expected: { n: this.taken.length + 1 } };
    }
    if (n <= this.taken.length) {
      assert.equal(this.taken[n - 1].text, text, 'a number never changes what it stands for');
      return accepted(n);
    }
    this.taken.push({ text });
    this.done.push(text);
    return accepted(n);
  }
}
