// Elements without templates: text is only ever set as text.

/** @typedef {Node | string | number | null | undefined | false} Child */

/**
 * Makes an element. `on*` are listeners, `class` and others attributes; `true` sets an empty one,
 * `false`, `null` and `undefined` none.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, any>} [props]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith('on')) {
      element.addEventListener(name.slice(2), value);
    } else if (value !== false && value !== null && value !== undefined) {
      element.setAttribute(name, value === true ? '' : String(value));
    }
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false).map(nodeOf));
  return element;
}

/** @param {any} child */
const nodeOf = (child) => (child instanceof Node ? child : String(child));

/** Replaces what is in an element. @param {Element} element @param {...Child} children */
export function fill(element, ...children) {
  element.replaceChildren(...children.filter((child) => child !== null && child !== undefined && child !== false).map(nodeOf));
}

/** Sets text only where it differs, so that nothing is announced or selected anew. @param {Element} element @param {string} text */
export function setText(element, text) {
  if (element.textContent !== text) {
    element.textContent = text;
  }
}

const SVG = 'http://www.w3.org/2000/svg';

/** Strokes on a grid of 16. */
const PATHS = {
  chat: 'M2.5 3.5h11v8h-6l-3 2.5v-2.5h-2z',
  close: 'M4 4l8 8M12 4l-8 8',
  send: 'M2.5 8h10M8.5 4l4 4-4 4',
  down: 'M4 6.5l4 4 4-4',
  left: 'M9.5 4l-4 4 4 4',
  check: 'M3 8.5l3.2 3L13 4.8',
  checks: 'M1 8.5l3 3 6.2-6.7M7.2 11l.5.5 6.8-6.7',
  clock: 'M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11zM8 5v3.2l2 1.3',
  alert: 'M8 2.8l6 10.4H2zM8 6.5v3M8 11.4v.1',
  edit: 'M3 13l.6-2.8 7-7 2.2 2.2-7 7z',
  trash: 'M3.5 4.5h9M6.5 4.5v-1h3v1M4.8 4.5l.5 8.5h5.4l.5-8.5',
  file: 'M4 2.5h5l3 3v8H4zM9 2.5v3h3',
  pause: 'M5.5 4v8M10.5 4v8',
  search: 'M7 3a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM10 10l3.5 3.5',
  person: 'M8 3a2.4 2.4 0 1 0 0 4.8A2.4 2.4 0 0 0 8 3zM3.5 13.5c.4-2.6 2-4 4.5-4s4.1 1.4 4.5 4',
  star: 'M8 2.2l1.8 3.7 4 .6-2.9 2.8.7 4L8 11.4l-3.6 1.9.7-4L2.2 6.5l4-.6z',
  plus: 'M8 3.5v9M3.5 8h9',
};

/** A drawing beside a text that says the same; hidden from readers. @param {keyof typeof PATHS} name */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  const path = document.createElementNS(SVG, 'path');
  svg.setAttribute('viewBox', '0 0 16 16');
  svg.setAttribute('class', `icon icon-${name}`);
  svg.setAttribute('aria-hidden', 'true');
  path.setAttribute('d', PATHS[name]);
  svg.append(path);
  return svg;
}

/**
 * Shows items in order, drawing only what changed, and keeps the focus where it was.
 *
 * @template Item
 * @param {Element} box whose children are these items and nothing else
 * @param {Item[]} items
 * @param {{ key: (item: Item) => string, version: (item: Item) => string, draw: (item: Item) => HTMLElement }} how
 */
export function keyed(box, items, { key, version, draw }) {
  const had = new Map([...box.children].map((node) => [/** @type {HTMLElement} */ (node).dataset.key, /** @type {HTMLElement} */ (node)]));
  const wanted = items.map((item) => {
    const [id, now] = [key(item), version(item)];
    const old = had.get(id);
    if (old && old.dataset.version === now) {
      return old;
    }
    const node = draw(item);
    node.dataset.key = id;
    node.dataset.version = now;
    if (old?.contains(document.activeElement)) {
      old.replaceWith(node);
      (node.matches('button') ? node : /** @type {HTMLElement | null} */ (node.querySelector('button')))?.focus();
    }
    return node;
  });
  const keep = new Set(wanted);
  [...box.children].filter((node) => !keep.has(/** @type {HTMLElement} */ (node))).forEach((node) => node.remove());
  wanted.forEach((node, index) => {
    if (box.children[index] !== node) {
      box.insertBefore(node, box.children[index] ?? null);
    }
  });
}
