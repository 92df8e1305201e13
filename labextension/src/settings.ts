/** The settings, as the schema has them, with its defaults where there is no registry of settings. */
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ISignal, Signal } from '@lumino/signaling';

export interface Choices {
  startTracking: 'never' | 'ask' | 'always';
  badges: 'off' | 'on' | 'file';
  tint: boolean;
  unit: 'auto' | 'Wh' | 'J';
  statusBar: boolean;
  keepLive: boolean;
}

const DEFAULTS: Choices = {
  startTracking: 'ask',
  badges: 'on',
  tint: false,
  unit: 'auto',
  statusBar: true,
  keepLive: false,
};

export class Settings {
  choices: Choices = DEFAULTS;

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  async load(registry: ISettingRegistry | null, plugin: string): Promise<void> {
    if (!registry) return;
    this.loaded = await registry.load(plugin);
    const read = (): void => {
      this.choices = { ...DEFAULTS, ...(this.loaded?.composite as Partial<Choices>) };
      this._changed.emit();
    };
    this.loaded.changed.connect(read);
    read();
  }

  /** Keeps a choice, for this page at least. */
  async set<K extends keyof Choices>(key: K, value: Choices[K]): Promise<void> {
    this.choices = { ...this.choices, [key]: value };
    this._changed.emit();
    await this.loaded?.set(key, value);
  }

  private loaded: ISettingRegistry.ISettings | null = null;
  private readonly _changed = new Signal<this, void>(this);
}
