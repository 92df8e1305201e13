/* What a designer would look for, as functions: what sticks out of its panel, and text that can hardly be read. */

/** Whatever reaches beyond the right edge of its panel, except what is cut on purpose. */
export function tooWide() {
  return [...document.querySelectorAll('.cbm-Panel')].flatMap((panel) => {
    const right = panel.getBoundingClientRect().right + 0.5;
    const seen = [...panel.querySelectorAll('*')].filter(
      (node) => node.getClientRects().length && !node.closest('.cbm-Header-name, .cbm-Cells-code, svg, option'),
    );
    const out = seen.filter((node) => node.getBoundingClientRect().right > right);
    return out.map((node) => `${panel.clientWidth}: ${node.className} ${node.textContent}`);
  });
}

/** Texts that overlap another of their row or line. */
export function overlapping() {
  const found = [];
  for (const line of document.querySelectorAll(
    '.cbm-Row, .cbm-Line, .cbm-Axis, .cbm-Figures, .cbm-Stats, .cbm-Cells li > *',
  )) {
    const nodes = [...line.querySelectorAll('*')].filter((node) => {
      const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
      return (
        own &&
        node.getClientRects().length &&
        !node.closest('.cbm-Popup, .cbm-Tip, [role=columnheader]:not([aria-sort])')
      );
    });
    const boxes = nodes
      .map((node) => {
        const range = document.createRange();
        range.selectNodeContents(node);
        // Line by line: what is broken over lines lies around its neighbours.
        return [...range.getClientRects()].map(({ left, right, top, bottom }) => ({
          node,
          left,
          right,
          top: top + 3,
          bottom: bottom - 3,
        }));
      })
      .flat();
    for (const [at, a] of boxes.entries()) {
      for (const b of boxes.slice(at + 1)) {
        if (a.node.contains(b.node) || b.node.contains(a.node) || getComputedStyle(a.node).overflow === 'hidden')
          continue;
        if (a.left < b.right - 0.5 && b.left < a.right - 0.5 && a.top < b.bottom && b.top < a.bottom) {
          found.push(`${line.className}: ${a.node.textContent} / ${b.node.textContent}`);
        }
      }
    }
  }
  return found;
}

/** Texts whose contrast with what they stand on is under 4.5. */
export function hardToRead() {
  const pixel = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const over = (colors) => {
    pixel.clearRect(0, 0, 1, 1);
    for (const color of colors) {
      pixel.fillStyle = color;
      pixel.fillRect(0, 0, 1, 1);
    }
    return [...pixel.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (rgb) => {
    const linear = (part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = rgb.map((part) => linear(part / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const grounds = (node) => (node ? [...grounds(node.parentElement), getComputedStyle(node).backgroundColor] : []);
  const found = [];
  for (const node of document.querySelectorAll('.cbm-Panel *')) {
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
    // What cannot be used just now may be paler.
    if (!own || !node.getClientRects().length || node.closest(':has(> input:disabled)')) continue;
    const ground = grounds(node);
    const both = [light(over(ground)), light(over([...ground, getComputedStyle(node).color]))];
    const ratio = (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
    if (ratio < 4.5) found.push(`${ratio.toFixed(2)} ${node.className} ${node.textContent}`);
  }
  return found;
}
