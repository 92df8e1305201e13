// @ts-check
/*
 * When to say to the kernel that somebody looks. A lease lasts a minute there; it is renewed while a cell runs and for
 * fifteen seconds after, as long as the kernel itself goes on sending, so that an idle kernel is culled as if nobody
 * looked: with the round in which a server looks, less than half a minute late. Both times are the kernel's to tell. Pure:
 * time comes from outside.
 */

/** @typedef {import('./types.js').Terms} Terms */

/** What `carbon_magic/comm/lease.py` has, for a kernel that does not tell. @type {Terms} */
export const TERMS = { lease_s: 60, quiet_s: 15, keep_live: false };
/** No word for so long while a cell runs: contact is lost. A cell may hold the interpreter for ten seconds. */
export const LOST_MS = 15_000;
/** Who was heard so lately is not paused, whatever should be. */
const HEARD_MS = 5000;

export class Lease {
  /**
   * @param {(word: 'lease' | 'release') => void} say Called with what to say.
   * @param {{patient?: boolean}} [how] What this one says waits for the cell that runs, to whose end a lease lasts anyway.
   */
  constructor(say, { patient = false } = {}) {
    this.say = say;
    this.patient = patient;
    /** Ticks are wanted while the kernel is idle too. */
    this.keep = false;
    this.running = false;
    this.terms = TERMS;
    /** @type {number | null} */
    this.takenAt = null;
    this.activeAt = Number.NEGATIVE_INFINITY;
  }

  /**
   * What the kernel says of its leases.
   * @param {Terms | null} terms
   */
  agree(terms) {
    this.terms = terms ?? TERMS;
  }

  /** The kernel was restarted, or another comm opened: it knows of no lease. */
  forget() {
    this.takenAt = null;
  }

  /**
   * Something happened in the kernel: a cell began, ran or ended.
   * @param {boolean} running
   * @param {number} now In ms, here as in the rest.
   */
  note(running, now) {
    if (running || this.running) this.activeAt = now;
    this.running = running;
  }

  /**
   * The view was opened, or a cell has come and gone: ticks may come for a while, so that their figures are seen.
   * @param {number} now
   */
  opened(now) {
    this.activeAt = Math.max(this.activeAt, now);
  }

  /**
   * Whether ticks are to be expected.
   * @param {number} now
   * @returns {boolean}
   */
  live(now) {
    return this.keep || this.terms.keep_live || this.running || now - this.activeAt < this.terms.quiet_s * 1000;
  }

  /**
   * Takes, renews or gives back the lease, as it is due.
   * @param {number} now
   * @param {boolean} looking
   */
  update(now, looking) {
    if (!looking) {
      if (this.takenAt !== null) this.say('release');
      this.takenAt = null;
      return;
    }
    if (!this.live(now)) return;
    // Renewed after two thirds of its time, so that a word that is late is not too late.
    const lasts = now - (this.takenAt ?? -Infinity) < (this.terms.lease_s * 2000) / 3;
    if (this.takenAt !== null && (lasts || (this.patient && this.running))) return;
    this.takenAt = now;
    this.say('lease');
  }

  /**
   * The face that silence has: nothing, paused, or lost.
   * @param {number} now
   * @param {number | null} heardAt
   * @returns {'paused' | 'lost' | null}
   */
  silence(now, heardAt) {
    if (!this.live(now)) return heardAt !== null && now - heardAt < HEARD_MS ? null : 'paused';
    const expected = this.takenAt === null ? null : Math.max(this.takenAt, heardAt ?? 0);
    return this.running && expected !== null && now - expected > LOST_MS ? 'lost' : null;
  }
}
