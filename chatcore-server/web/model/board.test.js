import assert from 'node:assert/strict';
import test from 'node:test';
import { Board } from './board.js';
import { Sorted } from './sorted.js';

/** Numbers that look random and are the same in each run. */
function numbers(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state % below;
  };
}

test('a sorted list is what sorting all of it anew would give', () => {
  const next = numbers(7);
  const sorted = new Sorted((a, b) => a - b);
  sorted.reset([9_001, 9_000]);
  let model = [9_000, 9_001];
  for (let step = 0; step < 2_000; step += 1) {
    const item = next(500);
    if (model.includes(item)) {
      assert.equal(sorted.delete(item), true);
      model = model.filter((other) => other !== item);
    } else {
      assert.equal(sorted.delete(item), false);
      sorted.add(item);
      model = [...model, item].sort((a, b) => a - b);
    }
    assert.equal(sorted.indexOf(item), model.indexOf(item));
  }
  assert.deepEqual([...sorted], model);
});

test('the line, the owners and the longest wait are what the whole board gives, after any events', () => {
  const next = numbers(11);
  const board = new Board();
  board.reset(null);
  const [waiting, grants] = [new Map(), new Map()];
  const tell = (what) => board.live([{ seq: 0, at: 0, event: { board: what } }]);
  for (let step = 0; step < 3_000; step += 1) {
    const dialog = next(60);
    const grant = next(40);
    const operator = `o${next(5)}`;
    const had = grants.get(grant);
    switch (next(5)) {
      case 0:
      case 1: {
        const wait = { dialog, customer: 'c', queue: 'q', channel: 'web', priority: next(3), since: next(100), epoch: 1 };
        waiting.set(dialog, { wait, boost: next(2) });
        tell({ waiting: waiting.get(dialog) });
        break;
      }
      case 2:
        waiting.delete(dialog);
        tell({ left: { dialog } });
        break;
      case 3:
        if (!had) {
          waiting.delete(dialog);
          grants.set(grant, { grant, dialog, operator });
          tell({ granted: { grant, dialog, customer: 'c', operator, by: 'system' } });
        }
        break;
      default:
        grants.delete(grant);
        tell({ freed: { grant, dialog: had?.dialog ?? 0 } });
    }
    const line = [...waiting.values()].sort((a, b) => b.wait.priority + b.boost - a.wait.priority - a.boost || a.wait.since - b.wait.since || a.wait.dialog - b.wait.dialog);
    assert.deepEqual([...board.line], line);
    assert.equal(board.waitingSince, line.length === 0 ? null : Math.min(...line.map(({ wait }) => wait.since)));
    assert.equal(board.waits(dialog) !== null, waiting.has(dialog));
    assert.equal(board.ownerOf(dialog), [...grants.values()].find((other) => other.dialog === dialog)?.operator ?? null);
    const held = [...grants.values()].filter((other) => other.operator === operator).map(({ grant: id }) => id);
    assert.deepEqual(board.held(operator).map(({ grant: id }) => id), held);
    assert.equal(board.load(operator), held.length);
  }
});
