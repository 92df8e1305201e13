import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Lease, LOST_MS, TERMS } from '../lib/generated/lease.js';

const QUIET_MS = TERMS.quiet_s * 1000;
const RENEW_MS = (TERMS.lease_s * 2000) / 3;

function watched() {
  const said = [];
  const lease = new Lease((word) => said.push(word));
  return { lease, said };
}

test('an open panel over an idle kernel takes one lease and lets it run out', () => {
  const { lease, said } = watched();
  lease.opened(0);
  for (let now = 0; now < 600_000; now += 1000) lease.update(now, true);
  assert.deepEqual(said, ['lease']);
  assert.equal(lease.silence(QUIET_MS, 0), 'paused');
});

test('while a cell runs the lease never gets a minute old', () => {
  const times = [];
  let now = 0;
  const lease = new Lease(() => times.push(now));
  lease.note(true, 0);
  for (; now <= 300_000; now += 1000) lease.update(now, true);
  times.push(now);
  assert.ok(times.every((time, at) => at === 0 || time - times[at - 1] < 60_000));
});

test('renewals stop soon after the last cell, and the next cell begins them anew', () => {
  const { lease, said } = watched();
  lease.note(true, 0);
  lease.update(0, true);
  lease.note(false, 10_000);
  for (let now = 10_000; now < 200_000; now += 1000) lease.update(now, true);
  assert.deepEqual(said, ['lease']);
  lease.note(true, 200_000);
  lease.update(200_000, true);
  assert.deepEqual(said, ['lease', 'lease']);
});

test('a hidden panel gives its lease back once, and takes none', () => {
  const { lease, said } = watched();
  lease.note(true, 0);
  lease.update(0, false);
  lease.update(1000, true);
  lease.update(2000, false);
  lease.update(3000, false);
  assert.deepEqual(said, ['lease', 'release']);
});

test('a restarted kernel is told again', () => {
  const { lease, said } = watched();
  lease.opened(0);
  lease.update(0, true);
  lease.forget();
  lease.update(1000, true);
  assert.deepEqual(said, ['lease', 'lease']);
});

test('kept live, renewals go on while nothing runs', () => {
  const { lease, said } = watched();
  lease.keep = true;
  for (let now = 0; now < 10 * RENEW_MS; now += 1000) lease.update(now, true);
  assert.equal(said.length, 10);
  assert.equal(lease.silence(1e9, 1e9), null);
});

test('silence is lost contact only while a cell runs and ticks are owed', () => {
  const { lease } = watched();
  lease.note(true, 0);
  assert.equal(lease.silence(LOST_MS * 2, 0), null);
  lease.update(0, true);
  assert.equal(lease.silence(LOST_MS, 0), null);
  assert.equal(lease.silence(LOST_MS + 1, 0), 'lost');
  assert.equal(lease.silence(LOST_MS + 1, LOST_MS), null);
  lease.note(false, LOST_MS + 1);
  assert.equal(lease.silence(LOST_MS + 2, 0), null);
});

test('the times are those that the kernel tells', () => {
  const { lease, said } = watched();
  lease.agree({ lease_s: 30, quiet_s: 5, keep_live: false });
  lease.note(true, 0);
  for (let now = 0; now <= 60_000; now += 1000) lease.update(now, true);
  assert.equal(said.length, 4);
  lease.note(false, 60_000);
  assert.equal(lease.silence(64_999, 60_000), null);
  assert.equal(lease.silence(65_000, 60_000), 'paused');
  lease.agree({ lease_s: 30, quiet_s: 5, keep_live: true });
  assert.equal(lease.silence(1e9, 0), null);
});

test('whose word would wait for the cell says nothing while one runs, and at once when it has ended', () => {
  const said = [];
  const lease = new Lease((word) => said.push(word), { patient: true });
  lease.note(true, 0);
  for (let now = 0; now <= 300_000; now += 1000) lease.update(now, true);
  assert.deepEqual(said, ['lease']);
  lease.note(false, 300_000);
  lease.update(300_000, true);
  assert.deepEqual(said, ['lease', 'lease']);
});

test('who is heard is not paused', () => {
  const { lease } = watched();
  assert.equal(lease.silence(100_000, 99_000), null);
  assert.equal(lease.silence(100_000, null), 'paused');
});
