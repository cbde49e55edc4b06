import assert from 'node:assert/strict';
import test from 'node:test';
import { Dialog } from './dialog.js';
import { Notes } from './notes.js';

const note = (number, text = `n${number}`) => ({ note: number, at: number, author: { staff: 'olga' }, body: { text } });
const numbers = (notes) => notes.all.map(({ note: number }) => number);

test('notes end up the same in whatever order news and answers come', () => {
  const steps = [
    (notes) => notes.came(note(1)),
    (notes) => notes.came(note(2)),
    (notes) => notes.went(2),
    (notes) => notes.read([note(1), note(2)], []),
  ];
  const orders = steps.flatMap((_, first) => steps.map((__, second) => [...steps.slice(first), ...steps.slice(0, first)].toSpliced(second, 0, steps[first])));
  for (const order of orders) {
    const notes = new Notes();
    order.forEach((step) => step(notes));
    assert.deepEqual(numbers(notes), [1]);
  }
});

test('an answer takes away what it lacks, but not what came while it was on its way', () => {
  const notes = new Notes();
  notes.came(note(1));
  const asked = notes.known;
  notes.came(note(2));
  notes.read([{ ...note(3), body: 'erased' }], asked);
  assert.deepEqual(numbers(notes), [2, 3]);
  notes.read([{ ...note(2), body: 'erased' }], []);
  assert.deepEqual(notes.all.map(({ body }) => body), ['erased', 'erased']);
});

test('notes about the customer are no lines of the dialog that tells them', () => {
  const dialog = new Dialog(17);
  dialog.reset(0);
  const event = (seq, what) => ({ seq, hash: '', at: seq, visibility: 'staff', event: { dialog: what } });
  const noted = (seq, number) => event(seq, { customer_noted: { note: number, author: { staff: 'olga' }, body: { text: 'x' } } });
  dialog.live([noted(1, 1), noted(2, 2), event(3, { customer_note_removed: { note: 1, by: { staff: 'olga' } } })], 3);
  assert.deepEqual(dialog.entries, []);
  assert.deepEqual(numbers(dialog.notes), [2]);
});
