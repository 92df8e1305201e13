// @ts-check
/*
 * The live chart in the section of a panel that is a widget itself: the view of bqplot's figure is made by the page's own
 * manager of widgets and put there, with the chart's overlay on it. Where a front end cannot, the small chart stays.
 */
import { mountChart } from './chart.js';
import { el } from './dom.js';

/** @typedef {import('./types.js').Host} Host */
/** @typedef {import('./chart.js').Figure} Figure */

/**
 * @typedef {object} Charted What anywidget gives.
 * @property {(name: string) => any} get
 * @property {{get_model: (id: string) => Promise<any>, create_view: (model: any) => Promise<any>}} widget_manager
 */

/**
 * The models that a widget draws with, by name.
 * @param {Charted} model
 * @returns {Promise<any>}
 */
export async function partsOf(model) {
  const parts = Object.entries(model.get('parts') ?? {});
  const models = parts.map(async ([name, id]) => [name, await model.widget_manager.get_model(id)]);
  return Object.fromEntries(await Promise.all(models));
}

/**
 * @param {Charted} model Of the panel; its parts are the figure and what it consists of.
 * @param {HTMLElement} slot Is filled once the figure can be drawn.
 * @param {Host} host
 * @returns {() => void} Takes it away.
 */
export function hostChart(model, slot, host) {
  let over = () => {};
  /** @type {any} */
  let view = null;
  let gone = false;
  const put = async () => {
    const parts = await partsOf(model);
    const made = await model.widget_manager.create_view(parts.figure);
    if (gone) {
      made.remove();
      return;
    }
    view = made;
    const root = el('div', { class: 'cbm-Chart' });
    const stage = el('div', { class: 'cbm-Chart-stage' });
    slot.append(stage);
    attach(view, stage);
    stage.append(root);
    over = mountChart(root, host, parts);
  };
  put().catch((error) => {
    // Another front end, another manager of widgets: the panel is whole without the large chart.
    slot.replaceChildren();
    console.warn('carbon-magic: the large chart cannot be shown here', error);
  });
  return () => {
    gone = true;
    over();
    view?.remove();
    slot.replaceChildren();
  };
}

/**
 * Puts a view into the page as its own toolkit would, so that it hears of being shown and resized.
 * @param {any} view
 * @param {HTMLElement} stage
 */
function attach(view, stage) {
  const widget = view.luminoWidget ?? view.pWidget;
  const place = widget?.constructor?.attach;
  if (typeof place === 'function' && stage.isConnected) place.call(widget.constructor, widget, stage);
  else {
    stage.append(view.el);
    view.trigger('displayed');
  }
}
