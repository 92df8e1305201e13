/** The item in the status bar: power while somebody looks, and the session's grams. A click opens the panel. */
import { Widget } from '@lumino/widgets';
import { Documents } from './documents';
import { statusText } from './generated/badge.js';
import { attr, setText } from './generated/dom.js';
import { changed } from './generated/store.js';
import type { Host, State } from './generated/types';
import { leafIcon } from './icon';
import { Link } from './link';

/** A power that is older is no power now. */
const STALE_MS = 10_000;

export class StatusItem extends Widget {
  constructor(
    private readonly documents: Documents,
    private readonly host: Pick<Host, 'say' | 'locale' | 'unit'>,
    open: () => void,
  ) {
    super({ node: document.createElement('button') });
    this.addClass('cbm-Status');
    this.node.append(leafIcon.element({ tag: 'span', className: 'cbm-Status-leaf' }), this.power, this.rest);
    this.node.addEventListener('click', open);
    documents.currentChanged.connect(this.follow, this);
    this.follow();
  }

  /** Whether there is anything to say of the document that is looked at. */
  get isWanted(): boolean {
    return this.documents.current !== null;
  }

  private follow(): void {
    const { link } = this.documents;
    if (link !== this.link) {
      this.link?.changed.disconnect(this.draw, this);
      this.link = link;
      link?.changed.connect(this.draw, this);
    }
    this.draw();
  }

  /** Draws it anew: what it is written in may have changed. */
  draw(): void {
    window.clearTimeout(this.timer);
    const state = this.link?.state;
    this.node.hidden = !state;
    if (!state) return;
    const fresh = state.heard_at !== null && Date.now() - state.heard_at < STALE_MS && !state.paused;
    const shown = fresh || !state.totals ? state : changed(state, { totals: { ...state.totals, power_w: null } });
    const words = statusText(shown as State, this.host);
    setText(this.power, words.power);
    attr(this.power, 'class', words.exception ? `cbm-${words.exception}` : '');
    setText(this.rest, words.rest);
    attr(this.node, 'title', words.title);
    attr(this.node, 'aria-label', `${this.host.say('Carbon')}: ${words.text}`);
    if (fresh) this.timer = window.setTimeout(() => this.draw(), STALE_MS);
  }

  private readonly power = document.createElement('span');
  private readonly rest = document.createElement('span');
  private link: Link | null = null;
  private timer = 0;
}
