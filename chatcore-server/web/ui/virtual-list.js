// A list that draws only what is in sight, so that ten thousand messages scroll like ten.
//
// Heights are estimated until drawn, then measured. Whatever changes, the row that the reader looks
// at stays where it is; at the end of the list the end stays.

/**
 * @template {{ key: string, version: string }} Row
 * @typedef {{ draw: (row: Row) => HTMLElement, nearTop?: () => void, estimate?: number, buffer?: number }} ListOptions<Row>
 */

/** Closer to the end than this counts as at the end. */
const END_PX = 40;
/** Heights settle within a few rounds; more would be a row that changes with each drawing. */
const ROUNDS_MAX = 4;

/** @template {{ key: string, version: string }} Row */
export class VirtualList {
  #box;
  #above = document.createElement('div');
  #rowsBox = document.createElement('div');
  #below = document.createElement('div');
  #options;
  /** @type {Row[]} */
  #rows = [];
  /** @type {Float64Array} where each row begins; the last is the end */
  #tops = new Float64Array(1);
  /** @type {Map<string, number>} */
  #heights = new Map();
  /** @type {Map<string, { node: HTMLElement, version: string }>} */
  #drawn = new Map();
  #atEnd = true;
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

  /** Shows these rows. @param {Row[]} rows */
  set(rows) {
    const anchor = this.#anchor();
    this.#rows = rows;
    this.#layout(anchor);
  }

  /** Forgets where the reader was: another list begins, at its end. */
  restart() {
    this.#rows = [];
    this.#heights.clear();
    this.#drawn.forEach(({ node }) => node.remove());
    this.#drawn.clear();
    this.#atEnd = true;
  }

  toEnd() {
    this.#atEnd = true;
    this.#layout(null);
  }

  /** Brings a row into sight. @param {string} key @returns {boolean} whether it is there */
  reveal(key) {
    const index = this.#rows.findIndex((row) => row.key === key);
    if (index >= 0) {
      this.#atEnd = false;
      this.#layout({ key, offset: this.#box.clientHeight / 3 });
    }
    return index >= 0;
  }

  /** The element of a row in sight. @param {string} key */
  node(key) {
    return this.#drawn.get(key)?.node ?? null;
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
    this.#atEnd = near || (this.#atEnd && scrollTop >= this.#top - 1);
    this.#layout(this.#anchor());
    if (scrollTop < clientHeight) {
      this.#options.nearTop?.();
    }
  }

  #resized() {
    const width = this.#box.clientWidth;
    if (width !== this.#width) {
      this.#width = width;
      this.#heights.clear();
    }
    this.#height = this.#box.clientHeight;
    this.#layout(this.#anchor());
  }

  /** The first row in sight and where it is. @returns {{ key: string, offset: number } | null} */
  #anchor() {
    const top = this.#box.scrollTop;
    const index = this.#at(top);
    const row = this.#rows[index];
    return row && !this.#atEnd ? { key: row.key, offset: this.#tops[index] - top } : null;
  }

  /** The row at this height. @param {number} y */
  #at(y) {
    let [low, high] = [0, Math.max(0, this.#rows.length - 1)];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#tops[middle] <= y) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return low;
  }

  #measure() {
    const estimate = this.#options.estimate ?? 56;
    if (this.#tops.length !== this.#rows.length + 1) {
      this.#tops = new Float64Array(this.#rows.length + 1);
    }
    let top = 0;
    for (let index = 0; index < this.#rows.length; index += 1) {
      this.#tops[index] = top;
      top += this.#heights.get(this.#rows[index].key) ?? estimate;
    }
    this.#tops[this.#rows.length] = top;
    return top;
  }

  /** @param {{ key: string, offset: number } | null} anchor */
  #layout(anchor) {
    if (this.#busy) {
      return;
    }
    this.#busy = true;
    for (let round = 0; round < ROUNDS_MAX; round += 1) {
      const total = this.#measure();
      const top = this.#wanted(anchor, total);
      const buffer = this.#options.buffer ?? 400;
      const from = this.#at(top - buffer);
      const to = Math.min(this.#rows.length, this.#at(top + this.#box.clientHeight + buffer) + 1);
      this.#draw(from, to);
      this.#above.style.height = `${this.#tops[from]}px`;
      this.#below.style.height = `${total - this.#tops[to]}px`;
      const settled = !this.#remeasure(from, to);
      if (Math.abs(this.#box.scrollTop - top) >= 1) {
        this.#box.scrollTop = top;
      }
      if (settled) {
        break;
      }
    }
    this.#top = this.#box.scrollTop;
    this.#busy = false;
  }

  /** @param {{ key: string, offset: number } | null} anchor @param {number} total */
  #wanted(anchor, total) {
    const most = Math.max(0, total - this.#box.clientHeight);
    if (this.#atEnd) {
      return most;
    }
    const index = anchor ? this.#rows.findIndex((row) => row.key === anchor.key) : -1;
    const wanted = anchor && index >= 0 ? this.#tops[index] - anchor.offset : this.#box.scrollTop;
    return Math.min(most, Math.max(0, wanted));
  }

  /** @param {number} from @param {number} to */
  #draw(from, to) {
    const wanted = this.#rows.slice(from, to);
    const keys = new Set(wanted.map(({ key }) => key));
    for (const [key, { node }] of this.#drawn) {
      if (!keys.has(key)) {
        node.remove();
        this.#drawn.delete(key);
      }
    }
    let next = this.#rowsBox.firstElementChild;
    for (const row of wanted) {
      const had = this.#drawn.get(row.key);
      let node = had?.node;
      if (!had || had.version !== row.version) {
        node = this.#options.draw(row);
        node.setAttribute('role', 'listitem');
        if (had) {
          next = next === had.node ? node : next;
          had.node.replaceWith(node);
        }
        this.#drawn.set(row.key, { node, version: row.version });
      }
      if (node === next) {
        next = next?.nextElementSibling ?? null;
      } else if (node) {
        this.#rowsBox.insertBefore(node, next);
      }
    }
  }

  /** Whether any height differs from what was assumed. @param {number} from @param {number} to */
  #remeasure(from, to) {
    const estimate = this.#options.estimate ?? 56;
    let changed = false;
    for (const { key } of this.#rows.slice(from, to)) {
      const height = this.#drawn.get(key)?.node.getBoundingClientRect().height ?? estimate;
      if (Math.abs(height - (this.#heights.get(key) ?? estimate)) > 0.5) {
        changed = true;
      }
      this.#heights.set(key, height);
    }
    return changed;
  }
}
