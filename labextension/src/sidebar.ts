/** The panel as a widget: in the sidebar, and in the main area. It looks at the kernel while it can be seen. */
import { Message } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';
import { ChartSlot } from './chart';
import { mount } from './generated/frame.js';
import { PanelHost, Parts } from './host';
import { leafIcon } from './icon';

export class CarbonPanel extends Widget {
  constructor(parts: Parts, inMainArea = false) {
    super();
    this.addClass('cbm-Sidebar');
    this.id = inMainArea ? 'carbon-magic-panel' : 'carbon-magic-sidebar';
    this.title.icon = leafIcon;
    if (inMainArea) this.title.label = parts.trans.__('Carbon');
    this.title.caption = parts.trans.__('Carbon: what cells cost');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', parts.trans.__('Carbon: what cells cost'));
    this.host = new PanelHost(parts, inMainArea);
    this.chart = new ChartSlot(parts.documents, this.host);
    this.unmount = mount(this.node, this.host, { chart: this.chart.node });
    this.chart.node.parentElement?.append(this.chart.why);
    document.addEventListener('visibilitychange', this.seen);
  }

  dispose(): void {
    if (this.isDisposed) return;
    document.removeEventListener('visibilitychange', this.seen);
    this.chart.dispose();
    this.unmount();
    this.host.dispose();
    super.dispose();
  }

  protected onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this.seen();
  }

  protected onAfterHide(message: Message): void {
    super.onAfterHide(message);
    this.seen();
  }

  protected onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this.seen();
  }

  protected onBeforeDetach(message: Message): void {
    this.host.look(false);
    this.chart.look(false);
    this.chart.clear();
    super.onBeforeDetach(message);
  }

  private readonly seen = (): void => {
    const looking = this.isVisible && document.visibilityState === 'visible';
    this.host.look(looking);
    this.chart.look(looking);
  };

  private readonly host: PanelHost;
  private readonly chart: ChartSlot;
  private readonly unmount: () => void;
}
