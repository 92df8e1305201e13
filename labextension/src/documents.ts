/**
 * The notebooks and consoles of this page, the kernels behind them, and which of them is looked at. A kernel's link lives
 * as long as any of them is connected to it.
 */
import { ISessionContext } from '@jupyterlab/apputils';
import { ConsolePanel, IConsoleTracker } from '@jupyterlab/console';
import { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { Kernel } from '@jupyterlab/services';
import { ISignal, Signal } from '@lumino/signaling';
import { Link, LinkOptions } from './link';

export interface Document {
  widget: NotebookPanel | ConsolePanel;
  session: ISessionContext;
  rendermime: IRenderMimeRegistry;
  notebook: NotebookPanel | null;
}

export class Documents {
  constructor(
    notebooks: INotebookTracker,
    consoles: IConsoleTracker | null,
    private readonly options: LinkOptions,
  ) {
    const addNotebook = (panel: NotebookPanel): void =>
      this.add({
        widget: panel,
        session: panel.sessionContext,
        rendermime: panel.content.rendermime,
        notebook: panel,
      });
    const addConsole = (panel: ConsolePanel): void =>
      this.add({ widget: panel, session: panel.sessionContext, rendermime: panel.console.rendermime, notebook: null });
    notebooks.widgetAdded.connect((_, panel) => addNotebook(panel));
    notebooks.forEach(addNotebook);
    notebooks.currentChanged.connect((_, panel) => this.focus(panel ?? consoles?.currentWidget ?? null));
    consoles?.widgetAdded.connect((_, panel) => addConsole(panel));
    consoles?.forEach(addConsole);
    consoles?.currentChanged.connect((_, panel) => this.focus(panel ?? notebooks.currentWidget));
    this.focus(notebooks.currentWidget ?? consoles?.currentWidget ?? null);
  }

  /** The one that was looked at last. */
  get current(): Document | null {
    return this._current;
  }

  get link(): Link | null {
    return this._current ? this.linkOf(this._current) : null;
  }

  get all(): readonly Document[] {
    return [...this.documents.values()];
  }

  /** Another document, or another kernel behind it. */
  get currentChanged(): ISignal<this, void> {
    return this._currentChanged;
  }

  get added(): ISignal<this, Document> {
    return this._added;
  }

  /** A document was connected to another kernel, or to none. */
  get kernelChanged(): ISignal<this, Document> {
    return this._kernelChanged;
  }

  linkOf(document: Document): Link | null {
    const kernel = document.session.session?.kernel;
    return kernel ? (this.links.get(kernel.id) ?? null) : null;
  }

  /** The notebook that is looked at, or that of the console that is: they share a kernel. */
  get notebook(): NotebookPanel | null {
    const { current, link } = this;
    if (!current || current.notebook) return current?.notebook ?? null;
    return [...this.documents.values()].find((one) => one.notebook && this.linkOf(one) === link)?.notebook ?? null;
  }

  /** Every link there is. */
  get allLinks(): readonly Link[] {
    return [...this.links.values()];
  }

  private add(document: Document): void {
    const { widget, session } = document;
    if (this.documents.has(widget)) return;
    this.documents.set(widget, document);
    const attach = (kernel: Kernel.IKernelConnection | null | undefined): void => {
      if (kernel) this.attach(kernel);
      this._kernelChanged.emit(document);
      if (document === this._current) this._currentChanged.emit();
    };
    session.kernelChanged.connect((_, change) => attach(change.newValue));
    session.statusChanged.connect((_, status) => {
      if ((status === 'dead' || status === 'unknown') && document === this._current) this._currentChanged.emit();
    });
    attach(session.session?.kernel);
    widget.disposed.connect(() => {
      this.documents.delete(widget);
      if (this._current === document) this.focus(null);
    });
    this._added.emit(document);
    if (this.wanted === widget) this.focus(widget);
  }

  private attach(kernel: Kernel.IKernelConnection): void {
    let link = this.links.get(kernel.id);
    if (!link || link.isEmpty) {
      link = new Link(this.options);
      this.links.set(kernel.id, link);
    }
    const made = link;
    link.connect(kernel);
    kernel.disposed.connect(() => {
      if (made.isEmpty && this.links.get(kernel.id) === made) this.links.delete(kernel.id);
    });
  }

  private focus(widget: NotebookPanel | ConsolePanel | null): void {
    this.wanted = widget;
    const next = widget && !widget.isDisposed ? (this.documents.get(widget) ?? null) : null;
    if (next === this._current) return;
    this._current = next;
    this._currentChanged.emit();
  }

  private readonly documents = new Map<NotebookPanel | ConsolePanel, Document>();
  private readonly links = new Map<string, Link>();
  private readonly _added = new Signal<this, Document>(this);
  private readonly _currentChanged = new Signal<this, void>(this);
  private readonly _kernelChanged = new Signal<this, Document>(this);
  private _current: Document | null = null;
  private wanted: NotebookPanel | ConsolePanel | null = null;
}
