import assert from 'node:assert/strict';
import test from 'node:test';
import { comesBack, needsToken, waitMs } from './backoff.js';

test('the wait is spread over the whole bound, and the bound grows to 30 seconds', () => {
  assert.equal(waitMs(0, 0), 0);
  assert.ok(waitMs(0, 0.999) < 1_000);
  assert.equal(waitMs(1, 0.5), 500);
  assert.equal(waitMs(3, 0.5), 2_000);
  for (const attempt of [6, 7, 100, 5_000]) {
    assert.ok(waitMs(attempt, 0.9999) < 30_000);
    assert.ok(waitMs(attempt, 0.9999) > 29_000);
  }
});

test('a client comes back on 4000 to 4499 and on a close without a code, and on no other of ours', () => {
  for (const code of [1001, 1005, 1006, 1011, 4401, 4408, 4409, 4412, 4429, 4430]) {
    assert.ok(comesBack(code), String(code));
  }
  for (const code of [1000, 1003, 1009, 4500, 4501, 4503, 4510]) {
    assert.ok(!comesBack(code), String(code));
  }
  assert.ok(needsToken(4401));
  assert.ok(!needsToken(4408));
});
