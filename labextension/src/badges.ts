/**
 * The figure under each executed cell. Kept by cell in memory, and in the notebook only where the setting says so; drawn
 * anew after each change of the notebook, at most once a frame.
 */
import { Cell as CellWidget, CodeCell } from '@jupyterlab/cells';
import { NotebookPanel } from '@jupyterlab/notebook';
import { PanelLayout, Widget } from '@lumino/widgets';
import { Document, Documents } from './documents';
import { badgeText } from './generated/badge.js';
import { cellOf } from './generated/checked.js';
import type { Cell, Host, State } from './generated/types';
import { Link } from './link';
import { Execution, kept, placed } from './placement';
import { Settings } from './settings';

const KEY = 'carbon_magic';

export class Badges {
  constructor(
    documents: Documents,
    settings: Settings,
    private readonly host: Pick<Host, 'say' | 'locale' | 'unit'>,
  ) {
    const add = (document: Document): void => {
      if (!document.notebook) return;
      const painter = new Painter(document.notebook, () => documents.linkOf(document), settings, this.host);
      this.painters.set(document, painter);
      document.widget.disposed.connect(() => this.painters.delete(document));
    };
    documents.all.forEach(add);
    documents.added.connect((_, document) => add(document));
    documents.kernelChanged.connect((_, document) => this.painters.get(document)?.follow());
    settings.changed.connect(() => this.painters.forEach((painter) => painter.later()));
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
      link?.changed.connect(this.take, this);
    }
    this.take();
  }

  later(): void {
    if (this.frame || this.panel.isDisposed) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      if (!this.panel.isDisposed) this.paint();
    });
  }

  private take(): void {
    const state = this.link?.state;
    const session = state?.session_id;
    if (!state || !session) return;
    for (const cell of [...state.cells.values(), ...state.running]) {
      if (!cell.cell_id || (cell.status !== 'running' && this.taken.has(cell.record_id))) continue;
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
    this.later();
  }

  private paint(): void {
    const { badges, tint } = this.settings.choices;
    const state = this.link?.state ?? null;
    for (const widget of this.panel.content.widgets) {
      if (!(widget instanceof CodeCell)) continue;
      const found = badges === 'off' ? null : this.found(widget, badges === 'file');
      this.draw(widget, found, tint, state);
    }
  }

  private found(widget: CodeCell, inFile: boolean): ReturnType<typeof placed> {
    const { model } = widget;
    const standing = { id: model.id, executionCount: model.executionCount, source: model.sharedModel.source };
    const execution = this.executions.get(model.id);
    if (inFile && execution && this.fresh.delete(model.id) && placed(standing, execution)) {
      const record = kept(execution.cell);
      if (JSON.stringify(model.getMetadata(KEY)) !== JSON.stringify(record)) model.setMetadata(KEY, record);
    }
    return placed(standing, execution ?? (inFile ? fromFile(model.getMetadata(KEY)) : undefined));
  }

  private draw(widget: CodeCell, found: ReturnType<typeof placed>, tint: boolean, state: State | null): void {
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
    const totals = execution.session === state?.session_id ? state.totals : null;
    badge.show_(badgeText(execution.cell, totals, this.host, { edited }), tint);
  }

  private readonly executions = new Map<string, Execution>();
  private readonly drawn = new Map<CellWidget, Badge>();
  private readonly fresh = new Set<string>();
  private taken = new Set<string>();
  private link: Link | null = null;
  private frame = 0;
}

class Badge extends Widget {
  constructor() {
    super();
    this.addClass('cbm-Badge');
    this.node.append(this.figure, this.rest);
  }

  show_(words: ReturnType<typeof badgeText>, tint: boolean): void {
    this.figure.textContent = words.figure;
    this.figure.className = words.exception ? `cbm-${words.exception}` : '';
    this.rest.textContent = words.rest;
    this.node.title = words.title;
    this.node.dataset.heat = tint ? String(words.heat) : '0';
  }

  private readonly figure = document.createElement('b');
  private readonly rest = document.createElement('span');
}

/** A figure kept in a notebook, which anybody may have written: checked as what comes from a kernel. */
function fromFile(metadata: unknown): Execution | undefined {
  if (!metadata || typeof metadata !== 'object') return undefined;
  const blank = { record_id: 'kept', label: null, final: true, concurrent: false, started_at: 0, domains: {} };
  const cell = cellOf({ ...metadata, ...blank }) as Cell | null;
  return cell && cell.status !== 'running' ? { cell, session: '', source: null } : undefined;
}
