import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kept, placed, untracked } from '../lib/placement.js';
import { digest } from '../lib/ran.js';

const cell = {
  record_id: 'r',
  cell_id: 'a',
  execution_count: 3,
  status: 'ok',
  energy_j: [1, 2, 3],
  emissions_g: null,
  region_known: false,
  duration_s: 4,
  provenance: 'modelled',
  below_resolution: false,
  label: 'a secret name',
};
const execution = { cell, session: 's', source: 'x = 1' };
const standing = { id: 'a', executionCount: 3, source: 'x = 1' };

test('a cell shows the figure of its own execution', () => {
  assert.deepEqual(placed(standing, execution), { execution, edited: false });
});

test('a duplicate has another id, a cleared cell no number, an undone one its own again', () => {
  assert.equal(placed({ ...standing, id: 'b' }, execution), null);
  assert.equal(placed({ ...standing, executionCount: null }, execution), null);
  assert.equal(placed({ ...standing, executionCount: 4 }, execution), null);
  assert.notEqual(placed({ ...standing }, execution), null);
  assert.equal(placed(standing, undefined), null);
});

test('a changed source is said, and taken back when it is as it ran', () => {
  assert.equal(placed({ ...standing, source: 'x = 2' }, execution).edited, true);
  assert.equal(placed({ ...standing, source: 'x = 2' }, { ...execution, source: null }).edited, false);
});

test('what a page before this one saw run tells whether it was edited since', () => {
  const unseen = { ...execution, source: null };
  const ran = { count: 3, code: digest('x = 1'), tracked: true };
  assert.equal(placed(standing, unseen, ran).edited, false);
  assert.equal(placed({ ...standing, source: 'x = 2' }, unseen, ran).edited, true);
  assert.equal(placed({ ...standing, source: 'x = 2' }, unseen, { ...ran, count: 2 }).edited, false);
});

test('not tracked is what ran so and is still shown', () => {
  const ran = { count: 3, code: '', tracked: false };
  assert.equal(untracked(standing, ran), true);
  assert.equal(untracked({ ...standing, executionCount: null }, ran), false);
  assert.equal(untracked({ ...standing, executionCount: 4 }, ran), false);
  assert.equal(untracked(standing, { ...ran, tracked: true }), false);
  assert.equal(untracked(standing, { ...ran, tracked: null }), false);
  assert.equal(untracked(standing, undefined), false);
});

test('a running cell shows its figure whatever number stands there', () => {
  const running = { ...execution, cell: { ...cell, status: 'running' } };
  assert.equal(placed({ ...standing, executionCount: null, source: 'y' }, running).edited, false);
});

test('a notebook is given figures alone', () => {
  const record = kept(cell);
  assert.equal(record.cell_id, 'a');
  assert.ok(!('label' in record) && !('record_id' in record));
});
