/**
 * The live chart: bqplot's, made in the kernel and drawn by the notebook's own renderer of widgets, once the kernel is
 * free. Until then, and wherever there is none, the panel's own small chart stays.
 */
import { MimeModel } from '@jupyterlab/rendermime';
import { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { Widget } from '@lumino/widgets';
import { Document, Documents } from './documents';
import { Host, State } from './generated/types';
import { evaluate } from './kernel';
import { Link } from './link';

const VIEW = 'application/vnd.jupyter.widget-view+json';
const CHART = "__import__('carbon_magic.views.panel', fromlist=['chart_model_id']).chart_model_id()";
const MODEL_ID = /^'([0-9a-f]{16,64})'$/;

export class ChartSlot {
  constructor(
    private readonly documents: Documents,
    host: Pick<Host, 'subscribe'>,
  ) {
    this.node.className = 'cbm-Chart';
    this.unsubscribe = host.subscribe(() => void this.refresh());
  }

  readonly node = document.createElement('div');

  /** Widgets that are drawn while they are hidden are drawn wrong: only while the panel can be seen. */
  look(looking: boolean): void {
    this.looking = looking;
    if (looking) void this.refresh();
  }

  dispose(): void {
    this.unsubscribe();
    this.clear();
  }

  private async refresh(): Promise<void> {
    const { current, link } = this.documents;
    const state = link?.state;
    if (!current || !link || !state?.session_id || state.face !== 'tracking') {
      if (state?.session_id !== this.session) this.clear();
      return;
    }
    if (state.session_id === this.session && current === this.document) return;
    if (!this.looking || !isFree(link, state)) return;
    this.clear();
    this.session = state.session_id;
    this.document = current;
    const turn = ++this.turn;
    try {
      const kernel = link.kernel;
      const reply = kernel && (await evaluate(kernel, CHART));
      const id = reply?.status === 'ok' ? MODEL_ID.exec(reply.text)?.[1] : undefined;
      if (!id || turn !== this.turn) return;
      await this.show(current, id, turn);
    } catch {
      // The kernel went away, or its page has no manager of widgets: the small chart stays.
      if (turn === this.turn) this.clear(false);
    }
  }

  private async show(document: Document, id: string, turn: number): Promise<void> {
    const { rendermime } = document;
    if (!rendermime.mimeTypes.includes(VIEW)) return;
    const renderer = rendermime.createRenderer(VIEW);
    const data = { [VIEW]: { version_major: 2, version_minor: 0, model_id: id } };
    await renderer.renderModel(new MimeModel({ trusted: true, data }));
    if (turn !== this.turn) {
      renderer.dispose();
      return;
    }
    Widget.attach(renderer, this.node);
    this.renderer = renderer;
  }

  private clear(forget = true): void {
    this.turn++;
    if (forget) {
      this.session = null;
      this.document = null;
    }
    if (this.renderer?.isAttached) Widget.detach(this.renderer);
    this.renderer?.dispose();
    this.renderer = null;
    this.node.replaceChildren();
  }

  private readonly unsubscribe: () => void;
  private renderer: IRenderMime.IRenderer | null = null;
  private session: string | null = null;
  private document: Document | null = null;
  private looking = false;
  private turn = 0;
}

function isFree(link: Link, state: State): boolean {
  return link.kernel?.status === 'idle' && !state.running.length && !state.partial;
}
