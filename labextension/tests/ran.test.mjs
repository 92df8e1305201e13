import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digest, MOST_CELLS, RanCells } from '../lib/ran.js';

function tab() {
  let kept = null;
  return {
    getItem: () => kept,
    setItem: (_, text) => {
      kept = text;
    },
  };
}

test('a page that is loaded anew knows what the one before it saw run', () => {
  const kept = tab();
  const before = new RanCells(kept);
  before.note('a', { count: 3, code: digest('x = 1'), tracked: false });
  before.note('b', { count: 4, code: digest('y'), tracked: null });
  before.keep();
  const after = new RanCells(kept);
  assert.deepEqual(after.of('a'), { count: 3, code: digest('x = 1'), tracked: false });
  assert.equal(after.of('b').tracked, null);
  assert.equal(after.of('c'), undefined);
});

test('no code is kept, only what tells it from other code', () => {
  const kept = tab();
  const cells = new RanCells(kept);
  cells.note('a', { count: 1, code: digest('password = "hunter2"'), tracked: true });
  cells.keep();
  assert.ok(!kept.getItem().includes('hunter2'));
  assert.notEqual(digest('x = 1'), digest('x = 2'));
});

test('of many cells the latest are kept', () => {
  const cells = new RanCells(null);
  for (let at = 0; at <= MOST_CELLS; at++) cells.note(`cell-${at}`, { count: at, code: '', tracked: true });
  cells.keep();
  assert.equal(cells.of('cell-0'), undefined);
  assert.equal(cells.of(`cell-${MOST_CELLS}`).count, MOST_CELLS);
});

test('storage that is closed, full or was written by somebody else is as none', () => {
  const closed = {
    getItem: () => {
      throw new Error('closed');
    },
    setItem: () => {
      throw new Error('full');
    },
  };
  const cells = new RanCells(closed);
  cells.note('a', { count: 1, code: '', tracked: true });
  cells.keep();
  assert.equal(cells.of('a').count, 1);
  for (const text of ['{', '{"a": 1}', '[1, null, ["a"], ["a", "1", "c", true]]']) {
    assert.equal(new RanCells({ getItem: () => text, setItem: () => undefined }).of('a'), undefined);
  }
});
