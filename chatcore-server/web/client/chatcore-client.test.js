import assert from 'node:assert/strict';
import test from 'node:test';
import { fakeClaims, settle, tab } from './fakes.test.mjs';
import { memoryStore } from './storage.js';

const anna = { customer: 'anna' };
const say = (text) => ({ customer: { message: { dialog: 1, body: { text }, reply_to: null, owner_epoch: null } } });
const at = (seq) => ({ seq, hash: `h${seq}` });
const range = (after, upto) => ({ range: { stream: 'dialog/1', after: at(after), upto: at(upto), events: [] } });
const reset = (seq) => ({ reset: { stream: 'dialog/1', position: at(seq), reason: 'start', board: null, dialog: null } });
const accept = (n, seq) => ({ reply: { target: anna, n, reply: { outcome: { accepted: { dialog: 1, seq } } } } });
const sends = (connection) => connection.sent.flatMap(({ send }) => (send ? [[send.n, send.command.customer.message.body.text]] : []));

test('a command is sent once, told when accepted, and acknowledged', async () => {
  const { client, server } = await tab();
  server.welcome();
  const { outcome } = client.send(anna, say('a'));
  assert.deepEqual(sends(server.last), [[1, 'a']]);
  server.last.say({ durable: { target: anna, n: 1 } });
  server.last.say(accept(1, 9));
  assert.deepEqual(await outcome, { accepted: { dialog: 1, seq: 9 } });
  assert.deepEqual(server.last.sent.at(-1), { settle: { target: anna, n: 1 } });
  assert.deepEqual(client.pending, []);
});

test('after a reconnect it resumes from what it has and sends the unsettled again, in order', async () => {
  const { client, server, clock } = await tab();
  server.welcome();
  server.last.say(reset(5));
  server.last.say(range(5, 7));
  client.send(anna, say('a'));
  client.send(anna, say('b'));
  server.last.drop();
  client.send(anna, say('c'));
  await clock.advance(1_000);
  assert.equal(server.connections.length, 2);
  assert.deepEqual(server.last.hello.resume, { 'dialog/1': at(7) });
  assert.equal(server.last.hello.device, server.connections[0].hello.device);
  server.welcome();
  assert.deepEqual(sends(server.last), [[1, 'a'], [2, 'b'], [3, 'c']]);
});

test('a range that does not join ends the connection, and nothing of it is shown', async () => {
  const { client, server, clock } = await tab();
  const seen = [];
  client.on('events', ({ position }) => seen.push(position));
  server.welcome();
  server.last.say(reset(5));
  server.last.say(range(6, 8));
  server.last.say(range(5, 6));
  assert.deepEqual(seen, [], 'a former connection is not listened to');
  await clock.advance(0);
  assert.deepEqual(server.last.hello.resume, { 'dialog/1': at(5) });
  server.welcome();
  server.last.say(range(5, 8));
  assert.deepEqual(seen, [8]);
});

test('silence of two beats ends a connection that looks alive', async () => {
  const { client, server, clock } = await tab();
  server.welcome();
  await clock.advance(49_000);
  assert.ok(client.state.online);
  assert.ok(server.last.sent.some(({ ping }) => ping));
  await clock.advance(15_000);
  assert.equal(client.state.online, false);
});

test('anything heard keeps the connection, and says as of when the view is', async () => {
  const { client, server, clock } = await tab();
  server.welcome();
  for (let beat = 0; beat < 10; beat += 1) {
    await clock.advance(25_000);
    server.last.say({ pong: { now: 0 } });
  }
  assert.equal(server.connections.length, 1);
  assert.equal(client.state.asOf, clock.now());
  const asOf = client.state.asOf;
  server.last.drop();
  await clock.advance(10);
  assert.equal(client.state.online, false);
  assert.equal(client.state.asOf, asOf);
});

test('a leaving node says when to come back', async () => {
  const { server, clock } = await tab();
  server.welcome();
  server.last.say({ reconnect: { after_ms: 1_200 } });
  await clock.advance(1_199);
  assert.equal(server.connections.length, 1);
  await clock.advance(1);
  assert.equal(server.connections.length, 2);
});

test('a close that coming back cannot help stops the client and says why', async () => {
  const { client, server, clock } = await tab();
  server.welcome();
  server.last.drop(4503);
  await clock.advance(60_000);
  assert.equal(server.connections.length, 1);
  assert.equal(client.state.phase, 'stopped');
  assert.equal(client.state.ended.code, 4503);
});

test('an expired token is asked for anew; before that it is refreshed in place', async () => {
  const { server, clock, asked } = await tab();
  server.welcome();
  server.last.say({ expiring: { at: 1 } });
  await settle();
  assert.deepEqual(server.last.sent.at(-1), { refresh: { token: 'token-2' } });
  server.welcome();
  server.last.drop(4401);
  await clock.advance(1_000);
  assert.deepEqual(asked, [{ fresh: false }, { fresh: true }, { fresh: true }]);
  assert.equal(server.last.hello.token, 'token-3');
});

test('a conflict takes a new device id and sends again under it', async () => {
  const { client, server, clock } = await tab();
  server.welcome();
  const { outcome } = client.send(anna, say('a'));
  const before = server.last.hello.device;
  server.last.say({ reply: { target: anna, n: 1, reply: { outcome: { rejected: { code: 'id_conflict' } } } } });
  await clock.advance(1_000);
  assert.notEqual(server.last.hello.device, before);
  server.welcome();
  assert.deepEqual(sends(server.last), [[1, 'a']]);
  server.last.say(accept(1, 3));
  assert.deepEqual(await outcome, { accepted: { dialog: 1, seq: 3 } });
});

test('overload waits as long as it was told to, and keeps the number', async () => {
  const { client, server, clock } = await tab();
  server.welcome();
  client.send(anna, say('a'));
  server.last.say({ error: { code: 'overloaded', text: '', target: anna, n: 1, retry_after_ms: 250 } });
  await clock.advance(249);
  assert.equal(sends(server.last).length, 1);
  await clock.advance(1);
  assert.deepEqual(sends(server.last), [[1, 'a'], [1, 'a']]);
});

test('what was not taken fails with its code', async () => {
  const { client, server } = await tab();
  server.welcome();
  const { outcome } = client.send(anna, say('a'));
  server.last.say({ error: { code: 'forbidden', text: 'no', target: anna, n: 1, retry_after_ms: null } });
  await assert.rejects(outcome, { code: 'forbidden' });
});

test('an outcome lost on the way is asked for again', async () => {
  const { client, server, clock } = await tab();
  server.welcome();
  client.send(anna, say('a'));
  server.last.say({ durable: { target: anna, n: 1 } });
  for (let beat = 0; beat < 2; beat += 1) {
    await clock.advance(10_000);
    server.last.say({ pong: { now: 0 } });
  }
  assert.deepEqual(sends(server.last), [[1, 'a'], [1, 'a']]);
});

test('a reloaded tab keeps device, numbers and what was not answered', async () => {
  const first = await tab();
  first.server.welcome();
  first.client.send(anna, say('a'));
  first.client.stop();
  const second = await tab({ local: first.local, session: first.session, claims: first.claims });
  assert.equal(second.server.last.hello.device, first.server.last.hello.device);
  second.server.welcome();
  second.client.send(anna, say('b'));
  assert.deepEqual(sends(second.server.last), [[1, 'a'], [2, 'b']]);
});

test('a duplicated tab takes a device id of its own', async () => {
  const first = await tab();
  first.server.welcome();
  const copy = memoryStore();
  first.session.keys().forEach((key) => copy.setItem(key, first.session.getItem(key)));
  const second = await tab({ local: first.local, session: copy, claims: first.claims });
  assert.notEqual(second.server.last.hello.device, first.server.last.hello.device);
});

test('what a closed tab left unsent is sent by the next one, under the old device id', async () => {
  const first = await tab();
  first.server.welcome();
  first.server.last.drop();
  first.client.send(anna, say('a'));
  first.client.stop();
  const second = await tab({ local: first.local, claims: first.claims });
  second.server.welcome();
  second.client.send(anna, say('b'));
  await second.clock.advance(1_000);
  assert.equal(second.server.last.hello.device, first.server.last.hello.device);
  second.server.welcome();
  assert.deepEqual(sends(second.server.last), [[1, 'a'], [2, 'b']]);
});

test("another person's leftovers are not touched", async () => {
  const first = await tab();
  first.server.welcome({ who: { customer: 'boris' } });
  first.server.last.drop();
  first.client.send({ customer: 'boris' }, say('a'));
  first.client.stop();
  const second = await tab({ local: first.local, claims: fakeClaims() });
  second.server.welcome();
  await second.clock.advance(1_000);
  assert.equal(second.server.connections.length, 1);
  assert.deepEqual(sends(second.server.last), []);
});

test('typing is throttled and cursors are coalesced, forward only, and told again after a reconnect', async () => {
  const { client, server, clock } = await tab();
  server.welcome();
  client.typing(1);
  client.typing(1);
  client.cursor(anna, 1, 5, 3);
  client.cursor(anna, 1, 6, 4);
  client.cursor(anna, 1, 2, 2);
  await clock.advance(500);
  const cursor = { cursor: { target: anna, dialog: 1, delivered: 6, read: 4 } };
  assert.deepEqual(server.last.sent, [{ typing: { dialog: 1 } }, cursor]);
  server.last.drop();
  await clock.advance(1_000);
  server.welcome();
  assert.deepEqual(server.last.sent, [cursor]);
});

test('a blocked WebSocket gives way to the next transport', async () => {
  const opened = [];
  const blocked = (_base, _hello, handlers) => {
    opened.push('socket');
    queueMicrotask(() => handlers.closed(1006, ''));
    return { send: () => {}, close: () => {} };
  };
  const other = (_base, _hello, handlers) => {
    opened.push('fetch');
    handlers.opened();
    return { send: () => {}, close: () => {} };
  };
  const { clock } = await tab({ openers: [blocked, other] });
  await clock.advance(5_000);
  assert.deepEqual(opened, ['socket', 'socket', 'fetch']);
});
