/**
 * carbon-magic in JupyterLab and Notebook 7: a sidebar with what the cells of the kernel that is looked at cost, a figure
 * under each executed cell, an item in the status bar, commands and settings.
 */
import { ILabShell, ILayoutRestorer, JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette, ISessionContextDialogs, MainAreaWidget, SessionContextDialogs } from '@jupyterlab/apputils';
import { IConsoleTracker } from '@jupyterlab/console';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { Signal } from '@lumino/signaling';
import { Badges } from './badges';
import { Documents } from './documents';
import { CommandIDs, Memory, Parts } from './host';
import { leafIcon } from './icon';
import { Settings } from './settings';
import { CarbonPanel } from './sidebar';
import { StatusItem } from './status';
import { version } from './generated/version';

const PLUGIN = 'carbon-magic:plugin';

const plugin: JupyterFrontEndPlugin<void> = {
  id: PLUGIN,
  description: 'What each notebook cell costs in energy and CO2e.',
  autoStart: true,
  requires: [INotebookTracker],
  optional: [
    IConsoleTracker,
    ILabShell,
    ILayoutRestorer,
    ICommandPalette,
    ISettingRegistry,
    IStatusBar,
    ITranslator,
    ISessionContextDialogs,
  ],
  activate: (
    app: JupyterFrontEnd,
    notebooks: INotebookTracker,
    consoles: IConsoleTracker | null,
    labShell: ILabShell | null,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null,
    registry: ISettingRegistry | null,
    statusBar: IStatusBar | null,
    translator: ITranslator | null,
    dialogs: ISessionContextDialogs | null,
  ): void => {
    const words = translator ?? nullTranslator;
    const trans = words.load('carbon_magic');
    const settings = new Settings();
    const documents = new Documents(notebooks, consoles, {
      version,
      startAlways: () => settings.choices.startTracking === 'always',
      keepLive: () => settings.choices.keepLive,
    });
    const parts: Parts = {
      app,
      documents,
      settings,
      trans,
      locale: localeOf(words),
      memory: new Memory(),
      hasMainArea: labShell !== null,
      dialogs: dialogs ?? new SessionContextDialogs({ translator: words }),
    };
    const says = {
      say: (text: string, ...values: string[]) => trans.__(text, ...values),
      locale: parts.locale,
      get unit() {
        return settings.choices.unit;
      },
    };

    const sidebar = new CarbonPanel(parts);
    app.shell.add(sidebar, 'right', { rank: 900, type: 'Carbon' });
    restorer?.add(sidebar, sidebar.id);
    new Badges(documents, settings, says);
    addCommands(parts, sidebar, palette, notebooks);

    const item = statusBar && new StatusItem(documents, says, () => void app.commands.execute(CommandIDs.open));
    if (statusBar && item) {
      const turned = new Signal<object, void>(item);
      statusBar.registerStatusItem(PLUGIN, {
        item,
        align: 'right',
        rank: 20,
        isActive: () => settings.choices.statusBar && item.isWanted,
        activeStateChanged: turned,
      });
      settings.changed.connect(() => {
        item.draw();
        turned.emit();
      });
      documents.currentChanged.connect(() => turned.emit());
    }
    settings.changed.connect(() => {
      for (const link of documents.allLinks) link.refresh();
      for (const command of Object.values(CommandIDs)) app.commands.notifyCommandChanged(command);
    });
    settings.load(registry, PLUGIN).catch((reason: unknown) => {
      console.warn('carbon-magic: its settings could not be read, the defaults hold.', reason);
    });
    // Whoever opens the page for the first time sees the panel; from then on the layout is as it was left.
    if (labShell && parts.memory.recall('shown') !== true) {
      void app.restored.then(() => {
        parts.memory.remember('shown', true);
        labShell.activateById(sidebar.id);
      });
    }
  },
};

/** What Notebook 7's shell has, as JupyterLab's. */
interface Collapsible {
  collapseRight?(): void;
}

function addCommands(
  parts: Parts,
  sidebar: CarbonPanel,
  palette: ICommandPalette | null,
  notebooks: INotebookTracker,
): void {
  const { app, documents, settings, trans, hasMainArea } = parts;
  const { commands, shell } = app;
  let popped: MainAreaWidget<CarbonPanel> | null = null;
  commands.addCommand(CommandIDs.open, {
    label: trans.__('Show the Carbon Panel'),
    icon: leafIcon,
    // Notebook 7's pages of files and settings have nothing to show in it.
    isVisible: () => hasMainArea || notebooks.size > 0,
    execute: () => shell.activateById(sidebar.id),
  });
  // Notebook 7 keeps its sidebars shut and without a tab: there a button in the notebook's toolbar is the leaf.
  commands.addCommand(CommandIDs.leaf, {
    label: '',
    caption: trans.__('Carbon: what cells cost'),
    icon: leafIcon,
    isVisible: () => !hasMainArea,
    execute: () => {
      if (sidebar.isVisible) (shell as Collapsible).collapseRight?.();
      else shell.activateById(sidebar.id);
    },
  });
  commands.addCommand(CommandIDs.popOut, {
    label: trans.__('Show the Carbon Panel in the Notebook Area'),
    icon: leafIcon,
    isVisible: () => hasMainArea,
    execute: () => {
      if (!popped || popped.isDisposed) {
        popped = new MainAreaWidget({ content: new CarbonPanel(parts, true) });
        popped.id = 'carbon-magic-main';
        popped.title.closable = true;
      }
      if (!popped.isAttached) shell.add(popped, 'main', { mode: 'split-right' });
      shell.activateById(popped.id);
    },
  });
  commands.addCommand(CommandIDs.start, {
    label: trans.__('Start Tracking Energy in This Kernel'),
    isEnabled: () => ['off', 'refused', 'missing'].includes(documents.link?.state.face ?? ''),
    execute: () => documents.link?.start(),
  });
  commands.addCommand(CommandIDs.stop, {
    label: trans.__('Stop Tracking Energy in This Kernel'),
    isEnabled: () => documents.link?.state.face === 'tracking',
    execute: () => documents.link?.stop(),
  });
  commands.addCommand(CommandIDs.badges, {
    label: trans.__('Show What Each Cell Costs under It'),
    isToggled: () => settings.choices.badges !== 'off',
    execute: () => settings.set('badges', settings.choices.badges === 'off' ? 'on' : 'off'),
  });
  commands.addCommand(CommandIDs.tint, {
    label: trans.__('Tint Cells by Their Share of the Session'),
    isToggled: () => settings.choices.tint,
    execute: () => settings.set('tint', !settings.choices.tint),
  });
  commands.addCommand(CommandIDs.keepLive, {
    label: trans.__('Keep the Carbon Panel Live While the Kernel Is Idle'),
    caption: trans.__('A server that ends idle kernels will not end this one while the panel is open.'),
    isToggled: () => settings.choices.keepLive,
    execute: () => settings.set('keepLive', !settings.choices.keepLive),
  });
  commands.addCommand(CommandIDs.settings, {
    label: trans.__('Carbon Settings…'),
    isVisible: () => commands.hasCommand('settingeditor:open'),
    execute: () => commands.execute('settingeditor:open', { query: 'Carbon' }),
  });
  const category = trans.__('Carbon');
  for (const command of Object.values(CommandIDs)) {
    if (command !== CommandIDs.leaf) palette?.addItem({ command, category });
  }
}

/** A tag for Intl, or undefined for the browser's own. */
function localeOf(translator: ITranslator): string | undefined {
  const code = translator.languageCode;
  return code && code !== 'default' ? code.replace('_', '-') : undefined;
}

export default plugin;
