/**
 * What this page saw run, by cell: with which number, whether it was tracked, and a digest of its code. Kept as long as
 * the tab is, so that a page that is loaded anew still tells what was not tracked and what was edited since. Pure: the
 * storage comes from outside.
 */

export interface Ran {
  count: number;
  code: string;
  /** Null where it is not known. */
  tracked: boolean | null;
}

/** What of the browser's storage is used. */
export type Storage = Pick<globalThis.Storage, 'getItem' | 'setItem'>;

const KEY = 'carbon-magic:ran';
export const MOST_CELLS = 1000;
const LATER_MS = 500;

export class RanCells {
  constructor(private readonly storage: Storage | null) {
    for (const [id, ran] of read(storage)) this.cells.set(id, ran);
  }

  of(id: string): Ran | undefined {
    return this.cells.get(id);
  }

  note(id: string, ran: Ran): void {
    // The latest last: the first are let go.
    this.cells.delete(id);
    this.cells.set(id, ran);
    while (this.cells.size > MOST_CELLS) this.cells.delete(this.cells.keys().next().value as string);
    this.timer ??= setTimeout(() => this.keep(), LATER_MS);
  }

  /** Writes down what was noted. */
  keep(): void {
    if (this.timer === null) return;
    clearTimeout(this.timer);
    this.timer = null;
    const rows = [...this.cells].map(([id, { count, code, tracked }]) => [id, count, code, tracked]);
    try {
      this.storage?.setItem(KEY, JSON.stringify(rows));
    } catch {
      // Storage that is closed or full: it is known as long as the page is.
    }
  }

  private readonly cells = new Map<string, Ran>();
  private timer: ReturnType<typeof setTimeout> | null = null;
}

/** Tells one text from another, and says nothing of either. */
export function digest(text: string): string {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return `${text.length}-${(hash >>> 0).toString(36)}`;
}

/** What was kept, which anybody on this origin may have written. */
function read(storage: Storage | null): [string, Ran][] {
  let rows: unknown = null;
  try {
    rows = JSON.parse(storage?.getItem(KEY) ?? '[]');
  } catch {
    // Closed, or no JSON: as if nothing had been kept.
  }
  if (!Array.isArray(rows)) return [];
  const found: [string, Ran][] = [];
  for (const row of rows.slice(-MOST_CELLS)) {
    const [id, count, code, tracked] = Array.isArray(row) ? (row as unknown[]) : [];
    if (typeof id !== 'string' || typeof count !== 'number' || typeof code !== 'string') continue;
    found.push([id, { count, code, tracked: typeof tracked === 'boolean' ? tracked : null }]);
  }
  return found;
}
