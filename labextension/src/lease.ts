/**
 * When to say to the kernel that somebody looks. A lease lasts a minute there; it is renewed while a cell runs and for
 * fifteen seconds after, so that an idle kernel is culled as if nobody looked. Pure: time comes from outside.
 */

export const RENEW_MS = 40_000;
export const QUIET_MS = 15_000;
/** No word for so long while a cell runs: contact is lost. A cell may hold the interpreter for ten seconds. */
export const LOST_MS = 15_000;

export type LeaseWord = 'lease' | 'release';

export class Lease {
  /** Called with what to say. */
  constructor(private readonly say: (word: LeaseWord) => void) {}

  /** The kernel was restarted, or another comm opened: it knows of no lease. */
  forget(): void {
    this.takenAt = null;
  }

  /** Something happened in the kernel: a cell began, ran or ended. */
  note(running: boolean, now: number): void {
    if (running || this.running) this.activeAt = now;
    this.running = running;
  }

  /** The view was opened: ticks may come for fifteen seconds, so that the first figures are seen. */
  opened(now: number): void {
    this.activeAt = Math.max(this.activeAt, now);
  }

  /** Whether ticks are to be expected. */
  live(now: number): boolean {
    return this.keep || this.running || now - this.activeAt < QUIET_MS;
  }

  /** Takes, renews or gives back the lease, as it is due. */
  update(now: number, looking: boolean): void {
    if (!looking) {
      if (this.takenAt !== null) this.say('release');
      this.takenAt = null;
      return;
    }
    if (!this.live(now)) return;
    if (this.takenAt !== null && now - this.takenAt < RENEW_MS) return;
    this.takenAt = now;
    this.say('lease');
  }

  /** The face that silence has: nothing, paused, or lost. */
  silence(now: number, heardAt: number | null): 'paused' | 'lost' | null {
    if (!this.live(now)) return 'paused';
    const expected = this.takenAt === null ? null : Math.max(this.takenAt, heardAt ?? 0);
    return this.running && expected !== null && now - expected > LOST_MS ? 'lost' : null;
  }

  /** Ticks are wanted while the kernel is idle too. */
  keep = false;
  running = false;
  private takenAt: number | null = null;
  private activeAt = Number.NEGATIVE_INFINITY;
}
