import assert from 'node:assert/strict';
import test from 'node:test';
import { Ranges } from './ranges.js';

const at = (seq, hash = `h${seq}`) => ({ seq, hash });
const event = (seq, hash = `h${seq}`) => ({ seq, hash, at: 0, visibility: 'everyone', event: {} });
const range = (after, upto, events = []) => ({ stream: 'dialog/1', after: at(after), upto: at(upto), events });

function started(seq = 5) {
  const ranges = new Ranges();
  ranges.reset({ stream: 'dialog/1', position: at(seq), reason: 'start' });
  return ranges;
}

test('a range that goes on where the stream was is applied, hidden events included', () => {
  const ranges = started();
  assert.equal(ranges.accept(range(5, 9, [event(7)])), 'apply');
  assert.deepEqual(ranges.position('dialog/1'), at(9));
  assert.equal(ranges.accept(range(9, 10, [event(10)])), 'apply');
});

test('a range that was had is a duplicate and moves nothing', () => {
  const ranges = started();
  assert.equal(ranges.accept(range(3, 5)), 'duplicate');
  assert.equal(ranges.accept(range(0, 2)), 'duplicate');
  assert.deepEqual(ranges.position('dialog/1'), at(5));
});

test('a hole is broken, and the position stays for the resume', () => {
  const ranges = started();
  assert.equal(ranges.accept(range(6, 7)), 'broken');
  assert.equal(ranges.accept(range(4, 7)), 'broken');
  assert.deepEqual(ranges.resume(), { 'dialog/1': at(5) });
});

test('another hash at either end is broken', () => {
  const ranges = started();
  assert.equal(ranges.accept({ ...range(5, 6), after: at(5, 'other') }), 'broken');
  assert.equal(ranges.accept({ ...range(3, 5), upto: at(5, 'other') }), 'broken');
  assert.equal(ranges.accept(range(5, 6, [event(6, 'other')])), 'broken');
});

test('events out of order or out of the range are broken', () => {
  assert.equal(started().accept(range(5, 9, [event(8), event(7)])), 'broken');
  assert.equal(started().accept(range(5, 9, [event(5)])), 'broken');
  assert.equal(started().accept(range(5, 9, [event(10)])), 'broken');
});

test('an unknown stream may begin only at its beginning', () => {
  const ranges = new Ranges();
  assert.equal(ranges.accept(range(3, 4)), 'broken');
  assert.equal(ranges.accept(range(0, 4)), 'apply');
  ranges.forget('dialog/1');
  assert.equal(ranges.position('dialog/1'), null);
});

test('of too many streams those that moved last are resumed', () => {
  const ranges = new Ranges();
  for (let id = 1; id <= 120; id += 1) {
    ranges.reset({ stream: `dialog/${id}`, position: at(1), reason: 'start' });
  }
  ranges.accept({ stream: 'dialog/1', after: at(1), upto: at(2), events: [] });
  const resumed = Object.keys(ranges.resume());
  assert.equal(resumed.length, 100);
  assert.ok(resumed.includes('dialog/1'));
  assert.ok(!resumed.includes('dialog/2'));
});
