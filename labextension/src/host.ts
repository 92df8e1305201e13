/**
 * What the views are given: the state of the kernel that is looked at, and what can be done about it. One for each place
 * that shows the panel.
 */
import { JupyterFrontEnd } from '@jupyterlab/application';
import { Clipboard, Dialog, ISessionContextDialogs, showDialog } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';
import { MenuSvg } from '@jupyterlab/ui-components';
import { CommandRegistry } from '@lumino/commands';
import { Documents } from './documents';
import { changed, empty } from './generated/store.js';
import table from './generated/regions.json';
import type { Cell, Host, RegionTable, State } from './generated/types';
import { Settings } from './settings';

export interface Parts {
  app: JupyterFrontEnd;
  documents: Documents;
  settings: Settings;
  trans: TranslationBundle;
  locale: string | undefined;
  dialogs: ISessionContextDialogs;
  memory: Memory;
  /** Whether the page has room for a panel beside the notebook: JupyterLab's has, Notebook 7's shows one document. */
  hasMainArea: boolean;
}

export namespace CommandIDs {
  export const open = 'carbon-magic:open';
  export const leaf = 'carbon-magic:leaf';
  export const popOut = 'carbon-magic:pop-out';
  export const start = 'carbon-magic:start';
  export const stop = 'carbon-magic:stop';
  export const badges = 'carbon-magic:toggle-badges';
  export const tint = 'carbon-magic:toggle-tint';
  export const keepLive = 'carbon-magic:toggle-keep-live';
  export const settings = 'carbon-magic:settings';
}

/** What people chose in the panel, kept in this browser. */
export class Memory {
  recall(key: string): unknown {
    try {
      const kept = window.localStorage.getItem(PREFIX + key);
      return kept === null ? undefined : JSON.parse(kept);
    } catch {
      // Storage that is closed or was written by somebody else: as if nothing had been chosen.
      return undefined;
    }
  }

  remember(key: string, value: unknown): void {
    try {
      window.localStorage.setItem(PREFIX + key, JSON.stringify(value));
    } catch {
      // Storage that is closed or full: the choice holds for this page.
    }
  }
}

const PREFIX = 'carbon-magic:';
const LONGEST_EXCERPT = 200;
const PLACES = Array.from({ length: 9 }, (_, index) => `%${index + 1}`);

/** Subscriptions, with the state made anew for each. */
export class PanelHost implements Host {
  constructor(
    private readonly parts: Parts,
    private readonly inMainArea: boolean,
  ) {
    const { documents } = parts;
    documents.currentChanged.connect(this.follow, this);
    parts.settings.changed.connect(this.tell, this);
    this.follow();
  }

  readonly table = table as unknown as RegionTable;
  readonly act: Host['act'] = this.actions();

  get locale(): string | undefined {
    return this.parts.locale;
  }

  get unit(): Host['unit'] {
    return this.parts.settings.choices.unit;
  }

  state(): State {
    const { documents } = this.parts;
    const document = documents.current;
    if (!document) return empty() as State;
    const link = documents.linkOf(document);
    const notebook = document.widget.title.label;
    if (link) return link.state.notebook === notebook ? link.state : (changed(link.state, { notebook }) as State);
    const starting = !document.session.isReady || document.session.session;
    const face = document.session.hasNoKernel || !starting ? 'language' : 'looking';
    return changed(empty() as State, { face, notebook, detail: null }) as State;
  }

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Whether the panel can be seen: the kernel is told only then. */
  look(looking: boolean): void {
    this.looking = looking;
    this.followed?.look(this, looking);
    if (looking) this.tell();
  }

  say(text: string, ...values: string[]): string {
    let pattern = this.patterns.get(text);
    // Translated once, with the places of its values left as they are.
    if (pattern === undefined) this.patterns.set(text, (pattern = this.parts.trans.__(text, ...PLACES)));
    return pattern.replace(/%(\d)/g, (_, place) => values[Number(place) - 1] ?? '');
  }

  excerpt(cell: Cell): string | null {
    const { link, notebook } = this.parts.documents;
    const shown = notebook?.content.widgets.find((one) => one.model.id === cell.cell_id);
    // A console's cells, and those of a notebook that is not open, are known by what was run.
    const source = shown?.model.sharedModel.source ?? link?.sources.get(cell.execution_count ?? -1);
    const line = source?.split('\n').find((one) => one.trim());
    return line?.slice(0, LONGEST_EXCERPT) ?? null;
  }

  recall(key: string): unknown {
    return this.parts.memory.recall(key);
  }

  remember(key: string, value: unknown): void {
    this.parts.memory.remember(key, value);
  }

  dispose(): void {
    this.followed?.look(this, false);
    this.followed?.changed.disconnect(this.tell, this);
    this.parts.documents.currentChanged.disconnect(this.follow, this);
    this.parts.settings.changed.disconnect(this.tell, this);
    this.listeners.clear();
  }

  private follow(): void {
    const link = this.parts.documents.link;
    if (link !== this.followed) {
      this.followed?.look(this, false);
      this.followed?.changed.disconnect(this.tell, this);
      this.followed = link;
      link?.changed.connect(this.tell, this);
      link?.look(this, this.looking);
    }
    this.tell();
  }

  private tell(): void {
    if (!this.looking) return;
    for (const listener of this.listeners) listener();
  }

  private actions(): Host['act'] {
    const { app, documents, settings, dialogs, hasMainArea } = this.parts;
    const start = (): void => void documents.link?.start();
    const mayAsk = (): boolean => settings.choices.startTracking !== 'never';
    const { inMainArea } = this;
    return {
      get start() {
        return mayAsk() ? start : undefined;
      },
      retry: start,
      alwaysStart: () => {
        void settings.set('startTracking', 'always');
        start();
      },
      keepLive: () => void settings.set('keepLive', true),
      setRegion: (id) => documents.link?.setRegion(id),
      reveal: (cell) => this.reveal(cell),
      restart: () => void documents.current?.session.restartKernel(),
      changeKernel: () => {
        const session = documents.current?.session;
        if (session) void dialogs.selectKernel(session);
      },
      copy: (text) => Clipboard.copyToSystem(text),
      menu: (anchor) => openMenu(app.commands, anchor),
      popOut: inMainArea || !hasMainArea ? undefined : () => void app.commands.execute(CommandIDs.popOut),
      doctor: () =>
        void showDialog({
          title: this.say('What would give better figures'),
          body: this.say('Run %1 in a cell: it lists the sensors of this machine and what each would need.', DOCTOR),
          buttons: [Dialog.okButton({ label: this.say('Close') })],
        }),
    };
  }

  private reveal(cell: Cell): void {
    const { notebook } = this.parts.documents;
    const index = notebook?.content.widgets.findIndex((one) => one.model.id === cell.cell_id) ?? -1;
    if (!notebook || index < 0) return;
    this.parts.app.shell.activateById(notebook.id);
    notebook.content.deselectAll();
    notebook.content.activeCellIndex = index;
    void notebook.content.scrollToItem(index, 'center');
  }

  private readonly patterns = new Map<string, string>();
  private readonly listeners = new Set<() => void>();
  private followed: Documents['link'] = null;
  private looking = false;
}

const DOCTOR = '%carbon doctor';

function openMenu(commands: CommandRegistry, anchor: HTMLElement): void {
  // JupyterLab's own, which marks what is switched on.
  const menu = new MenuSvg({ commands });
  menu.addItem({ command: CommandIDs.stop });
  menu.addItem({ command: CommandIDs.keepLive });
  menu.addItem({ type: 'separator' });
  menu.addItem({ command: CommandIDs.badges });
  menu.addItem({ command: CommandIDs.tint });
  menu.addItem({ type: 'separator' });
  menu.addItem({ command: CommandIDs.settings });
  menu.aboutToClose.connect(() => anchor.focus());
  const at = anchor.getBoundingClientRect();
  menu.open(at.left, at.bottom);
}
