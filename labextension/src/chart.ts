/**
 * The live chart: bqplot's, made in the kernel and drawn by the notebook's own renderer of widgets, once the kernel is
 * free. Until then, and wherever there is none, the panel's own small chart stays, with the reason in words.
 */
import { MimeModel } from '@jupyterlab/rendermime';
import { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { Widget } from '@lumino/widgets';
import { Document, Documents } from './documents';
import type { Host } from './generated/types';
import { Charted, Link } from './link';

const VIEW = 'application/vnd.jupyter.widget-view+json';

export class ChartSlot {
  constructor(
    private readonly documents: Documents,
    private readonly host: Pick<Host, 'subscribe' | 'say'>,
  ) {
    this.node.className = 'cbm-ChartSlot';
    this.why.className = 'cbm-small cbm-ChartSlot-why';
    this.why.hidden = true;
    this.unsubscribe = host.subscribe(() => this.refresh());
  }

  readonly node = document.createElement('div');
  /** What stands under the small chart while the large one is not there. */
  readonly why = document.createElement('p');

  /** Widgets that are drawn while they are hidden are drawn wrong: only while the panel can be seen. */
  look(looking: boolean): void {
    this.looking = looking;
    if (looking) this.refresh();
  }

  dispose(): void {
    this.unsubscribe();
    this.clear();
  }

  private refresh(): void {
    const { current, link } = this.documents;
    const state = link?.state;
    if (state?.session_id !== this.session || current !== this.document) this.clear();
    if (!current || !link || !state?.session_id || state.face !== 'tracking' || this.answered || !this.looking) return;
    if (!current.rendermime.mimeTypes.includes(VIEW)) return;
    const free = link.isFree && !state.partial;
    this.tell(free ? '' : this.host.say('The large chart opens when the cell ends.'));
    if (!free || this.session) return;
    this.session = state.session_id;
    this.document = current;
    this.link = link;
    link.charted.connect(this.charted, this);
    link.askChart();
  }

  private charted(_: Link, { model, why }: Charted): void {
    const { document } = this;
    if (this.renderer || !document) return;
    this.answered = true;
    this.tell('');
    if (!model) {
      this.tell(why);
      return;
    }
    const turn = this.turn;
    this.show(document, model, turn).catch(() => {
      // The page has no manager of widgets for this kernel: the small chart stays.
      if (turn === this.turn) this.tell(this.host.say('The large chart cannot be shown on this page.'));
    });
  }

  private async show(document: Document, id: string, turn: number): Promise<void> {
    const renderer = document.rendermime.createRenderer(VIEW);
    const data = { [VIEW]: { version_major: 2, version_minor: 0, model_id: id } };
    this.renderer = renderer;
    await renderer.renderModel(new MimeModel({ trusted: true, data }));
    if (turn === this.turn && !renderer.isDisposed) Widget.attach(renderer, this.node);
  }

  private tell(why: string): void {
    this.why.textContent = why;
    this.why.hidden = !why;
  }

  /** Gives the widget back; it is shown anew at the next look. While the node is still in the page. */
  clear(): void {
    this.turn++;
    this.link?.charted.disconnect(this.charted, this);
    this.link = null;
    this.session = null;
    this.answered = false;
    this.document = null;
    if (this.renderer?.isAttached) Widget.detach(this.renderer);
    this.renderer?.dispose();
    this.renderer = null;
    this.tell('');
  }

  private readonly unsubscribe: () => void;
  private renderer: IRenderMime.IRenderer | null = null;
  private session: string | null = null;
  private document: Document | null = null;
  private link: Link | null = null;
  private looking = false;
  /** Whether the chart of this session is there, or why there is none. */
  private answered = false;
  private turn = 0;
}
