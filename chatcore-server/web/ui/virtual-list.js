// A list that draws only what is in sight, so that ten thousand rows scroll like ten.
//
// Whatever changes, the row that the reader looks at stays where it is, or the next one that is
// left. At the end of a list that grows there, the end stays; at the top of any other, the top.

/** @import { Heights } from './row-heights.js' */

import { OwnHeights } from './row-heights.js';

/**
 * What a list shows. It may change by itself; the list looks again when it is set.
 *
 * @template Row
 * @typedef {{ length: number, at: (index: number) => Row, find: (key: string) => number }} Rows<Row>
 */

/**
 * `follow` is the end that stays in sight: `end` unless said otherwise. `numbered` tells readers how
 * many rows there are and which this one is. `redrawn` hears when the row that has the focus is drawn
 * anew, `lost` when it goes out of the document; `settled` when all is drawn.
 *
 * @template {{ key: string, version: string }} Row
 * @typedef {{
 *   draw: (row: Row) => HTMLElement, nearTop?: () => void, heights?: Heights, buffer?: number,
 *   follow?: 'end' | 'top', numbered?: boolean,
 *   redrawn?: (node: HTMLElement) => void, lost?: () => void, settled?: () => void,
 * }} ListOptions<Row>
 */

/** Closer to the end than this counts as at the end. */
const END_PX = 40;
/** Heights settle within a few rounds; more would be a row that changes with each drawing. */
const ROUNDS_MAX = 4;
const ROW_PX = 56;
const BUFFER_PX = 400;

/** @template {{ key: string, version: string }} Row @param {Row[]} rows @returns {Rows<Row>} */
export function listed(rows) {
  return { length: rows.length, at: (index) => rows[index], find: (key) => rows.findIndex((row) => row.key === key) };
}

/** @template {{ key: string, version: string }} Row */
export class VirtualList {
  #box;
  #above = document.createElement('div');
  #rowsBox = document.createElement('div');
  #below = document.createElement('div');
  #options;
  /** @type {Rows<Row>} */
  #rows = listed([]);
  /** @type {Heights} */
  #heights;
  /** @type {Map<string, { node: HTMLElement, version: string }>} */
  #drawn = new Map();
  /** The keys of what is drawn, in order, and the place of the first. @type {string[]} */
  #keys = [];
  #from = 0;
  #atEnd;
  #width = 0;
  #height = 0;
  /** Where it was scrolled to by us. */
  #top = 0;
  #busy = false;
  #resize;

  /**
   * @param {HTMLElement} box what scrolls
   * @param {ListOptions<Row>} options
   */
  constructor(box, options) {
    this.#box = box;
    this.#options = options;
    this.#heights = options.heights ?? new OwnHeights(ROW_PX);
    this.#atEnd = this.#followsEnd;
    this.#above.setAttribute('role', 'presentation');
    this.#below.setAttribute('role', 'presentation');
    this.#rowsBox.setAttribute('role', 'list');
    this.#rowsBox.className = 'rows';
    box.append(this.#above, this.#rowsBox, this.#below);
    box.addEventListener('scroll', () => this.#scrolled(), { passive: true });
    this.#resize = new ResizeObserver(() => this.#resized());
    this.#resize.observe(box);
    this.#resize.observe(this.#rowsBox);
  }

  /** Whether the newest row is in sight. */
  get atEnd() {
    return this.#atEnd;
  }

  /** How many rows are in the document now. */
  get drawn() {
    return this.#drawn.size;
  }

  /** The element that holds the rows, for a name. */
  get list() {
    return this.#rowsBox;
  }

  get rows() {
    return this.#rows;
  }

  /** Shows these rows. @param {Row[] | Rows<Row>} rows */
  set(rows) {
    const anchors = this.#anchors();
    this.#rows = Array.isArray(rows) ? listed(rows) : rows;
    this.#layout(anchors);
  }

  /** Forgets where the reader was: another list begins, at its end. */
  restart() {
    this.#rows = listed([]);
    this.#heights.forget();
    this.#drawn.forEach(({ node }) => node.remove());
    this.#drawn.clear();
    this.#keys = [];
    this.#atEnd = this.#followsEnd;
  }

  toEnd() {
    this.#atEnd = true;
    this.#layout([]);
    this.#atEnd = this.#followsEnd;
  }

  /** Brings a row into sight, scrolling no further than it takes. @param {string} key @returns {boolean} whether it is there */
  reveal(key) {
    const index = this.#rows.find(key);
    if (index < 0) {
      return false;
    }
    const { scrollTop, clientHeight } = this.#box;
    const [top, end] = [this.#heights.top(index), this.#heights.top(index + 1)];
    if (top < scrollTop || end > scrollTop + clientHeight) {
      this.#atEnd = false;
      this.#layout([{ key, offset: top < scrollTop ? 0 : clientHeight - (end - top) }]);
    }
    return true;
  }

  /** The element of a row in the document. @param {string} key */
  node(key) {
    return this.#drawn.get(key)?.node ?? null;
  }

  /** The key of a row in the document. @param {HTMLElement} node @returns {string | null} */
  keyOf(node) {
    const place = [...this.#rowsBox.children].indexOf(node);
    return this.#keys[place] ?? null;
  }

  /** How many whole rows are in sight; one at least. */
  get page() {
    const { scrollTop, clientHeight } = this.#box;
    return Math.max(1, this.#heights.at(scrollTop + clientHeight) - this.#heights.at(scrollTop) - 1);
  }

  get #followsEnd() {
    return this.#options.follow !== 'top';
  }

  #scrolled() {
    if (this.#busy) {
      return;
    }
    const { scrollTop, scrollHeight, clientHeight } = this.#box;
    // A box that became smaller scrolls by itself; that is not the reader leaving the end.
    if (clientHeight !== this.#height) {
      this.#resized();
      return;
    }
    // Only a reader who scrolls up leaves the end; rows that turn out higher do not.
    const near = scrollHeight - scrollTop - clientHeight < END_PX;
    this.#atEnd = this.#followsEnd && (near || (this.#atEnd && scrollTop >= this.#top - 1));
    this.#layout(this.#anchors());
    if (scrollTop < clientHeight) {
      this.#options.nearTop?.();
    }
  }

  #resized() {
    const width = this.#box.clientWidth;
    if (width !== this.#width) {
      this.#width = width;
      this.#heights.forget();
    }
    this.#height = this.#box.clientHeight;
    this.#layout(this.#anchors());
  }

  /** The rows in sight and where they are: the first of them that is left stays. @returns {{ key: string, offset: number }[]} */
  #anchors() {
    const top = this.#box.scrollTop;
    if (this.#atEnd || (top === 0 && !this.#followsEnd)) {
      return [];
    }
    const first = this.#heights.at(top);
    // What is drawn: the rows themselves may be others by now.
    const inSight = this.#keys.slice(Math.max(0, first - this.#from));
    if (inSight.length === 0 || first < this.#from) {
      return first < this.#rows.length ? [{ key: this.#rows.at(first).key, offset: this.#heights.top(first) - top }] : [];
    }
    return inSight.map((key, index) => ({ key, offset: this.#heights.top(first + index) - top }));
  }

  /** @param {{ key: string, offset: number }[]} anchors */
  #layout(anchors) {
    if (this.#busy) {
      return;
    }
    this.#busy = true;
    for (let round = 0; round < ROUNDS_MAX; round += 1) {
      const { length } = this.#rows;
      const total = this.#heights.update(length, (index) => this.#rows.at(index).key);
      const top = this.#wanted(anchors, total);
      const buffer = this.#options.buffer ?? BUFFER_PX;
      const from = length === 0 ? 0 : this.#heights.at(top - buffer);
      const to = Math.min(length, this.#heights.at(top + this.#box.clientHeight + buffer) + 1);
      this.#draw(from, to);
      this.#above.style.height = `${this.#heights.top(from)}px`;
      this.#below.style.height = `${total - this.#heights.top(to)}px`;
      const settled = !this.#heights.learn(this.#measured());
      if (Math.abs(this.#box.scrollTop - top) >= 1) {
        this.#box.scrollTop = top;
      }
      if (settled) {
        break;
      }
    }
    this.#top = this.#box.scrollTop;
    this.#busy = false;
    this.#options.settled?.();
  }

  /** @param {{ key: string, offset: number }[]} anchors @param {number} total */
  #wanted(anchors, total) {
    const most = Math.max(0, total - this.#box.clientHeight);
    if (this.#atEnd) {
      return most;
    }
    for (const { key, offset } of anchors) {
      const index = this.#rows.find(key);
      if (index >= 0) {
        return Math.min(most, Math.max(0, this.#heights.top(index) - offset));
      }
    }
    return Math.min(most, this.#box.scrollTop);
  }

  /** @param {number} from @param {number} to */
  #draw(from, to) {
    const wanted = Array.from({ length: Math.max(0, to - from) }, (_, index) => this.#rows.at(from + index));
    this.#from = from;
    this.#keys = wanted.map(({ key }) => key);
    const keys = new Set(this.#keys);
    for (const [key, { node }] of this.#drawn) {
      if (!keys.has(key)) {
        const focused = node.contains(document.activeElement);
        node.remove();
        this.#drawn.delete(key);
        if (focused) {
          this.#options.lost?.();
        }
      }
    }
    let next = this.#rowsBox.firstElementChild;
    wanted.forEach((row, index) => {
      const had = this.#drawn.get(row.key);
      const node = had?.version === row.version ? had.node : this.#drawAnew(row, had?.node ?? null);
      next = had && next === had.node ? node : next;
      if (this.#options.numbered) {
        number(node, from + index + 1, this.#rows.length);
      }
      if (node === next) {
        next = next.nextElementSibling;
      } else {
        this.#rowsBox.insertBefore(node, next);
      }
    });
  }

  /** @param {Row} row @param {HTMLElement | null} had @returns {HTMLElement} */
  #drawAnew(row, had) {
    const node = this.#options.draw(row);
    node.setAttribute('role', 'listitem');
    this.#drawn.set(row.key, { node, version: row.version });
    const focused = had?.contains(document.activeElement) ?? false;
    had?.replaceWith(node);
    if (focused) {
      this.#options.redrawn?.(node);
    }
    return node;
  }

  /** @returns {Iterable<[string, number]>} */
  *#measured() {
    for (const key of this.#keys) {
      const node = this.#drawn.get(key)?.node;
      if (node) {
        yield [key, node.getBoundingClientRect().height];
      }
    }
  }
}

/** @param {HTMLElement} node @param {number} place @param {number} length */
function number(node, place, length) {
  node.setAttribute('aria-posinset', String(place));
  node.setAttribute('aria-setsize', String(length));
}
