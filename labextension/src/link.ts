/**
 * One kernel's state as this page knows it. Keyed by the kernel, not by the document: a console and a notebook may share
 * one, and only the first connection to a kernel hears its comms. Everything is dropped and looked up anew when the
 * kernel restarts.
 */
import { Kernel, KernelMessage } from '@jupyterlab/services';
import { JSONObject } from '@lumino/coreutils';
import { ISignal, Signal } from '@lumino/signaling';
import { Lease } from './generated/lease.js';
import { changed, empty, PROTOCOL, reduce } from './generated/store.js';
import type { State, ToKernel } from './generated/types';
import { findComms, load, sendOnControl, TARGET } from './kernel';
import { Runs } from './runs';

const WATCH_MS = 1000;
const HELLO_AGAIN_MS = 1500;

export interface LinkOptions {
  version: string;
  startAlways(): boolean;
  keepLive(): boolean;
}

export interface Charted {
  model: string | null;
  why: string;
}

export class Link {
  constructor(private readonly options: LinkOptions) {
    this.lease = new Lease((word) => this.send({ type: word, view: this.view }));
  }

  state: State = changed(empty(), { face: 'looking' });

  /** The code of this page's executions by their number. */
  get sources(): ReadonlyMap<number, string> {
    return this.runs.sources;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** The connection that hears the kernel's comms. */
  get kernel(): Kernel.IKernelConnection | null {
    return [...this.connections].find((one) => one.handleComms && !one.isDisposed) ?? null;
  }

  get isEmpty(): boolean {
    return !this.connections.size;
  }

  connect(kernel: Kernel.IKernelConnection): void {
    if (this.connections.has(kernel)) return;
    this.connections.add(kernel);
    kernel.disposed.connect(() => this.disconnect(kernel));
    if (kernel !== this.kernel) return;
    this.view = `lab-${kernel.clientId}`;
    kernel.registerCommTarget(TARGET, (comm, message) => {
      this.adopt(comm);
      this.take(message.content.data);
    });
    kernel.statusChanged.connect(this.onStatus, this);
    kernel.iopubMessage.connect(this.onIopub, this);
    kernel.connectionStatusChanged.connect(this.onConnection, this);
    void this.probe();
  }

  /** Loads the extension, or switches tracking on where it is loaded. */
  async start(): Promise<void> {
    const kernel = this.kernel;
    if (!kernel) return;
    if (this.comm) {
      this.send({ type: 'track', on: true });
      return;
    }
    this.change({ face: 'starting', detail: null });
    try {
      const started = await load(kernel);
      if (this.comm) return;
      if (started.kind === 'ok') await this.probe(true);
      else if (started.kind === 'missing') this.change({ face: 'missing' });
      else this.change({ face: 'refused', detail: started.reason });
    } catch (error) {
      // The kernel was restarted or shut down meanwhile: its status says what comes next.
      if (this.state.face === 'starting') this.change({ face: 'refused', detail: String(error) });
    }
  }

  stop(): void {
    this.send({ type: 'track', on: false });
  }

  setRegion(region: string | null): void {
    this.send({ type: 'region', region });
  }

  /** A view of this page looks at the kernel, or does so no longer. */
  look(view: object, looking: boolean): void {
    if (looking === this.lookers.has(view)) return;
    if (looking) this.lookers.add(view);
    else this.lookers.delete(view);
    if (looking) this.lease.opened(Date.now());
    this.beat();
    if (this.lookers.size && !this.timer) this.timer = window.setInterval(() => this.beat(), WATCH_MS);
    if (!this.lookers.size && this.timer) {
      window.clearInterval(this.timer);
      this.timer = 0;
    }
  }

  /** A setting has changed: whether ticks go on while the kernel is idle. */
  refresh(): void {
    const on = this.options.keepLive();
    if (on === this.lease.keep) return;
    this.lease.keep = on;
    this.send({ type: 'keep_live', on });
    this.lease.forget();
    this.beat();
  }

  /** Whether no cell runs. */
  get isFree(): boolean {
    return this.kernel?.status === 'idle' && !this.runs.executing && !this.state.running.length;
  }

  /**
   * Asks for the power chart's widget; the answer comes by `charted`, after the cells that wait already. Always by the
   * shell: between two of them the kernel seems idle, and what comes past a cell makes no chart.
   */
  askChart(): void {
    this.send({ type: 'chart' }, true);
  }

  /** The chart's model, or why there is none. */
  get charted(): ISignal<this, Charted> {
    return this._charted;
  }

  dispose(): void {
    if (this.timer) window.clearInterval(this.timer);
    this.timer = 0;
    Signal.clearData(this);
  }

  private disconnect(kernel: Kernel.IKernelConnection): void {
    this.connections.delete(kernel);
    if (this.isEmpty) this.dispose();
  }

  /** Looks for a comm that is there already: the page was loaded anew, or this is the second one. */
  private async probe(started = false): Promise<void> {
    const kernel = this.kernel;
    const turn = ++this.turn;
    if (!kernel) return;
    const late = (): boolean => turn !== this.turn || kernel.isDisposed || this.comm !== null;
    try {
      const spec = await kernel.spec;
      if (late()) return;
      const language = spec?.language ?? '';
      if (language && language.toLowerCase() !== 'python') {
        this.change({ face: 'language', detail: spec?.display_name || language });
        return;
      }
      const ids = await findComms(kernel);
      if (late()) return;
      if (ids.length) {
        this.adopt(kernel.createComm(TARGET, ids[ids.length - 1]));
        return;
      }
      if (started) {
        this.change({ face: 'refused', detail: 'the carbon-magic of the kernel opens no comm' });
        return;
      }
      this.ended = null;
      // Nobody may have seen yet that it died: that stands until the new kernel is used.
      if (this.state.face !== 'dead') this.change({ ...blank(this.state), face: 'off' });
      if (this.options.startAlways()) await this.start();
    } catch {
      // The kernel restarts or goes away: probed again when it says that it is idle.
      if (!late()) this.pending = true;
    }
  }

  private adopt(comm: Kernel.IComm): void {
    if (this.comm && this.comm.commId === comm.commId) return;
    this.turn++;
    this.comm = comm;
    // JupyterLab before 4.4 has no such property; there setting it does nothing.
    (comm as { commsOverSubshells?: string }).commsOverSubshells = 'disabled';
    comm.onMsg = (message) => this.take(message.content.data);
    comm.onClose = () => {
      if (this.comm !== comm) return;
      this.comm = null;
      this.change({ ...blank(this.state), face: 'off' });
    };
    this.lease.forget();
    this.lease.opened(Date.now());
    this.hello();
    if (this.options.keepLive()) this.send({ type: 'keep_live', on: true });
    this.beat();
    // What the sensors say is there a second after the first hello of a session that has just begun.
    window.setTimeout(() => {
      if (this.comm === comm && !this.state.totals) this.hello();
    }, HELLO_AGAIN_MS);
  }

  private hello(): void {
    this.send({ type: 'hello', protocol: PROTOCOL, version: this.options.version });
  }

  private take(data: unknown): void {
    const now = Date.now();
    const said = data as { type?: unknown; what?: unknown; model_id?: unknown; why?: unknown } | null;
    if (said?.type === 'chart' || (said?.type === 'refused' && said.what === 'chart')) {
      this._charted.emit({ model: modelId(said.model_id), why: typeof said.why === 'string' ? said.why : '' });
      return;
    }
    const after = reduce(this.state, data, now) as State;
    if (after === this.state) return;
    // The beginning of this session was missed, or what was said of it is no session's: how things stand is asked.
    const isMissed = after.partial && after.session_id !== this.state.session_id;
    this.state = after;
    if (isMissed) this.hello();
    this.lease.agree(after.terms);
    this.lease.note(this.runs.executing || after.running.length > 0, now);
    this._changed.emit();
  }

  private change(changes: Partial<State>): void {
    this.state = changed(this.state, changes) as State;
    this._changed.emit();
  }

  /** By the shell while the kernel is idle, or in turn; past the cell while one runs. */
  private send(message: ToKernel, inTurn = false): void {
    const { comm, kernel } = this;
    if (!comm || comm.isDisposed || !kernel || kernel.isDisposed || kernel.status === 'dead') return;
    try {
      if (inTurn || this.isFree) comm.send(message as unknown as JSONObject, undefined, undefined, true);
      else sendOnControl(kernel, comm.commId, message);
    } catch {
      // The connection is gone; it is looked up anew when it is back.
      this.pending = true;
    }
  }

  private beat(): void {
    const now = Date.now();
    this.lease.keep = this.options.keepLive();
    if (!this.comm) return;
    this.lease.update(now, this.lookers.size > 0);
    if (!this.lookers.size) return;
    const { face, paused, heard_at } = this.state;
    if (face !== 'tracking' && face !== 'lost') return;
    const silence = this.lease.silence(now, heard_at);
    if (silence === 'lost' && face !== 'lost') this.change({ face: 'lost', detail: null });
    if (silence !== 'lost' && face === 'lost') this.change({ face: 'tracking', detail: null });
    if ((silence === 'paused') !== paused) this.change({ paused: silence === 'paused' });
  }

  private onIopub(_: Kernel.IKernelConnection, message: KernelMessage.IIOPubMessage): void {
    if (!this.runs.hear(message)) return;
    if (this.state.face === 'dead') this.change({ ...blank(this.state), face: 'off' });
    this.lease.note(this.runs.executing || this.state.running.length > 0, Date.now());
    if (this.lookers.size) this.beat();
  }

  private onStatus(kernel: Kernel.IKernelConnection, status: Kernel.Status): void {
    if (status === 'restarting' || status === 'autorestarting' || status === 'terminating') {
      // A kernel that died restarts, and only then is it said that nobody asked for that.
      if (status !== 'autorestarting') this.ended = this.state.totals ? this.state : this.ended;
      this.drop(
        status === 'autorestarting'
          ? { ...(this.ended ?? this.state), face: 'dead', detail: null, heard_at: Date.now() }
          : { ...blank(this.state), face: 'looking' },
      );
      this.pending = true;
    } else if (status === 'dead') {
      this.drop({ face: 'dead', detail: null, heard_at: Date.now() });
    } else if (status === 'idle' && this.pending) {
      this.pending = false;
      void this.probe();
    }
  }

  private onConnection(kernel: Kernel.IKernelConnection, status: Kernel.ConnectionStatus): void {
    if (status === 'disconnected' && this.comm) this.change({ face: 'lost', detail: null });
    if (status !== 'connected' || !this.comm) return;
    // What was said meanwhile is lost: it is told again.
    this.lease.forget();
    this.hello();
    this.beat();
  }

  private drop(changes: Partial<State>): void {
    this.turn++;
    this.comm = null;
    this.runs.forget();
    this.lease.forget();
    this.lease.note(false, Date.now());
    this.change({ ...changes, running: [], paused: false });
  }

  private readonly connections = new Set<Kernel.IKernelConnection>();
  private readonly lookers = new Set<object>();
  private readonly lease: Lease;
  private readonly runs = new Runs();
  private readonly _charted = new Signal<this, Charted>(this);
  private readonly _changed = new Signal<this, void>(this);
  private comm: Kernel.IComm | null = null;
  /** What was known of a kernel when it ended. */
  private ended: State | null = null;
  private pending = false;
  private timer = 0;
  private turn = 0;
  private view = 'lab';
}

function modelId(told: unknown): string | null {
  return typeof told === 'string' && /^[0-9a-f-]{16,64}$/.test(told) ? told : null;
}

/** Nothing of the session that was. */
function blank(state: State): State {
  return changed(empty() as State, { notebook: state.notebook }) as State;
}
