/**
 * The figure under each executed cell. Kept by cell in memory, and in the notebook only where the setting says so; drawn
 * anew after each change of the notebook, at most once a frame.
 */
import { Cell as CellWidget, CodeCell } from '@jupyterlab/cells';
import { Notebook, NotebookActions, NotebookPanel } from '@jupyterlab/notebook';
import { JSONExt, JSONObject } from '@lumino/coreutils';
import { PanelLayout, Widget } from '@lumino/widgets';
import { Document, Documents } from './documents';
import { badgeText, HEAT } from './generated/badge.js';
import { cellOf } from './generated/checked.js';
import { atNextFrame, attr, setText } from './generated/dom.js';
import type { Cell, Face, Host, State } from './generated/types';
import { Link } from './link';
import { Execution, kept, placed, Standing, untracked } from './placement';
import { digest, RanCells } from './ran.js';
import { Settings } from './settings';

const KEY = 'carbon_magic';
/** Whether what runs is tracked; where it is not known, nothing is said. */
const TRACKED: Partial<Record<Face, boolean>> = {
  tracking: true,
  lost: true,
  versions: true,
  off: false,
  starting: false,
  refused: false,
  missing: false,
};

/** What stands under a cell. */
interface Shown {
  /** Null for what was not tracked. */
  execution: Execution | null;
  edited: boolean;
}

export class Badges {
  constructor(
    documents: Documents,
    settings: Settings,
    private readonly host: Pick<Host, 'say' | 'locale' | 'unit'>,
  ) {
    const ran = new RanCells(sessionStorage());
    window.addEventListener('pagehide', () => ran.keep());
    const add = (document: Document): void => {
      if (!document.notebook) return;
      const painter = new Painter(document.notebook, () => documents.linkOf(document), settings, this.host, ran);
      this.painters.set(document, painter);
      document.widget.disposed.connect(() => this.painters.delete(document));
    };
    documents.all.forEach(add);
    documents.added.connect((_, document) => add(document));
    documents.kernelChanged.connect((_, document) => this.painters.get(document)?.follow());
    NotebookActions.executed.connect((_, { notebook, cell }) => {
      const painter = [...this.painters.values()].find((one) => one.isOf(notebook));
      if (painter && cell instanceof CodeCell) painter.ended(cell);
    });
    let before = settings.choices.badges;
    settings.changed.connect(() => {
      const { badges } = settings.choices;
      const left = before === 'file' && badges !== 'file';
      before = badges;
      this.painters.forEach((painter) => (left ? painter.leaveFile() : painter.later()));
    });
  }

  private readonly painters = new Map<Document, Painter>();
}

/** One notebook's. */
class Painter {
  constructor(
    private readonly panel: NotebookPanel,
    private readonly linkNow: () => Link | null,
    private readonly settings: Settings,
    private readonly host: Pick<Host, 'say' | 'locale' | 'unit'>,
    private readonly ran: RanCells,
  ) {
    const { content } = panel;
    const watchModel = (): void => {
      content.model?.cells.changed.connect(this.later, this);
      this.later();
    };
    content.modelChanged.connect(watchModel);
    content.modelContentChanged.connect(this.later, this);
    void panel.context.ready.then(watchModel);
    watchModel();
    this.follow();
  }

  follow(): void {
    const link = this.linkNow();
    if (link !== this.link) {
      this.link?.changed.disconnect(this.take, this);
      this.link = link;
      this.taken = new Set();
      this.cells = null;
      this.whole = true;
      link?.changed.connect(this.take, this);
    }
    this.take();
  }

  isOf(notebook: Notebook): boolean {
    return this.panel.content === notebook;
  }

  /** A cell was run from this page. */
  ended({ model }: CodeCell): void {
    const count = model.executionCount;
    const link = this.linkNow();
    if (typeof count !== 'number' || !link) return;
    const tracked = TRACKED[link.state.face] ?? null;
    this.ran.note(model.id, { count, code: digest(link.sources.get(count) ?? model.sharedModel.source), tracked });
    if (tracked === false) {
      // After a restart it may have the number that it had when it was tracked.
      this.executions.delete(model.id);
      if (this.settings.choices.badges === 'file') model.deleteMetadata(KEY);
    }
    this.later();
  }

  /** Nothing of ours stays in the notebook. */
  leaveFile(): void {
    for (const { model } of this.panel.content.widgets) if (model.getMetadata(KEY)) model.deleteMetadata(KEY);
    this.later();
  }

  /** All are drawn anew at the next frame. */
  later(): void {
    this.whole = true;
    this.soon();
  }

  private soon(): void {
    atNextFrame(this.paintSeen);
  }

  private take(): void {
    const state = this.link?.state;
    this.forgetUnended(state?.running ?? []);
    const session = state?.session_id;
    if (!state || !session) return;
    // A tick changes the badges of what runs, and shares of the session; the others stay as they are.
    if (!this.wasTracked || session !== this.session) this.whole = true;
    this.wasTracked = true;
    this.session = session;
    const ended = state.cells === this.cells ? [] : [...state.cells.values()];
    this.cells = state.cells;
    for (const cell of [...ended, ...state.running]) {
      if (!cell.cell_id || (cell.status !== 'running' && this.taken.has(cell.record_id))) continue;
      this.due.add(cell.cell_id);
      const before = this.executions.get(cell.cell_id);
      const newer = !before || before.session !== session || before.cell.started_at <= cell.started_at;
      if (cell.status !== 'running') {
        this.taken.add(cell.record_id);
        this.fresh.add(cell.cell_id);
      }
      if (!newer) continue;
      const source = cell.execution_count === null ? null : (this.link?.sources.get(cell.execution_count) ?? null);
      this.executions.set(cell.cell_id, { cell, session, source });
    }
    this.soon();
  }

  /** What ran when its kernel ended runs no longer, and nobody tells what it cost. */
  private forgetUnended(running: State['running']): void {
    for (const [id, { cell }] of this.executions) {
      if (cell.status !== 'running' || running.some((one) => one.record_id === cell.record_id)) continue;
      this.executions.delete(id);
      this.due.add(id);
      this.soon();
    }
  }

  private readonly paintSeen = (): void => {
    if (!this.panel.isDisposed) this.paint();
  };

  private paint(): void {
    const { badges, tint } = this.settings.choices;
    const state = this.link?.state ?? null;
    const { whole, due } = this;
    this.whole = false;
    this.due = new Set();
    const least = HEAT[0] * (state?.totals?.energy_j?.[1] ?? Infinity);
    for (const widget of this.panel.content.widgets) {
      if (!(widget instanceof CodeCell)) continue;
      if (!whole && !due.has(widget.model.id) && !this.drawn.get(widget)?.hasShare) {
        const spent = this.executions.get(widget.model.id)?.cell.energy_j?.[1] ?? 0;
        if (!(spent >= least)) continue;
      }
      const found = badges === 'off' ? null : this.found(widget, badges === 'file');
      this.draw(widget, found, tint, state);
    }
  }

  private found(widget: CodeCell, inFile: boolean): Shown | null {
    const { model } = widget;
    const standing: Standing = { id: model.id, executionCount: model.executionCount, source: model.sharedModel.source };
    const execution = this.executions.get(model.id);
    if (inFile && execution && this.fresh.delete(model.id) && placed(standing, execution)) {
      const record = kept(execution.cell) as unknown as JSONObject;
      // A file has its keys in another order: that is no change to be saved.
      const before = (model.getMetadata(KEY) ?? null) as JSONObject | null;
      if (!JSONExt.deepEqual(before, record)) model.setMetadata(KEY, record);
    }
    const ran = this.ran.of(model.id);
    const shown = placed(standing, execution ?? (inFile ? fromFile(model.getMetadata(KEY)) : undefined), ran);
    if (shown) return shown;
    return this.wasTracked && untracked(standing, ran) ? { execution: null, edited: false } : null;
  }

  private draw(widget: CodeCell, found: Shown | null, tint: boolean, state: State | null): void {
    let badge = this.drawn.get(widget);
    if (!found) {
      badge?.dispose();
      this.drawn.delete(widget);
      return;
    }
    if (!badge || badge.isDisposed) {
      badge = new Badge();
      const made = badge;
      this.drawn.set(widget, badge);
      void widget.ready.then(() => {
        const layout = widget.layout as PanelLayout | null;
        // Before the footer: under the output.
        if (layout && !widget.isDisposed && !made.isDisposed)
          layout.insertWidget(Math.max(layout.widgets.length - 1, 0), made);
      });
      widget.disposed.connect((gone: CellWidget) => this.drawn.delete(gone));
    }
    const { execution, edited } = found;
    const totals = state && execution?.session === state.session_id ? state.totals : null;
    badge.show_(badgeText(execution?.cell ?? null, totals, this.host, { edited }), tint);
  }

  private readonly executions = new Map<string, Execution>();
  private readonly drawn = new Map<CellWidget, Badge>();
  private readonly fresh = new Set<string>();
  private taken = new Set<string>();
  private due = new Set<string>();
  private whole = true;
  private session = '';
  private cells: State['cells'] | null = null;
  /** Tracking was on in its kernel, at some time: before that, nothing is said of what was not tracked. */
  private wasTracked = false;
  private link: Link | null = null;
}

class Badge extends Widget {
  constructor() {
    super();
    this.addClass('cbm-Badge');
    this.node.setAttribute('role', 'note');
    this.node.append(this.figure, this.rest);
  }

  /** Whether it changes with the session's total. */
  hasShare = false;

  show_(words: ReturnType<typeof badgeText>, tint: boolean): void {
    this.hasShare = words.heat > 0;
    setText(this.figure, words.figure);
    attr(this.figure, 'class', words.exception ? `cbm-${words.exception}` : '');
    setText(this.rest, words.rest);
    // What is seen is the name; the ranges, and what was modelled, describe it.
    attr(this.node, 'aria-label', words.text);
    attr(this.node, 'title', words.title);
    attr(this.node, 'data-heat', tint ? words.heat : 0);
  }

  private readonly figure = document.createElement('b');
  private readonly rest = document.createElement('span');
}

/** The tab's own storage, where it is not closed. */
function sessionStorage(): Storage | null {
  try {
    return window.sessionStorage;
  } catch {
    // Forbidden by the browser's settings: what was seen is known as long as the page is.
    return null;
  }
}

/** A figure kept in a notebook, which anybody may have written: checked as what comes from a kernel. */
function fromFile(metadata: unknown): Execution | undefined {
  if (!metadata || typeof metadata !== 'object') return undefined;
  const blank = { record_id: 'kept', label: null, final: true, concurrent: false, started_at: 0, domains: {} };
  const cell = cellOf({ ...metadata, ...blank }) as Cell | null;
  return cell && cell.status !== 'running' ? { cell, session: '', source: null } : undefined;
}
