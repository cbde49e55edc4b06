// A windowed list as one stop of the Tab key: arrows, Home, End and Page move among its rows.
//
// The row with the focus may be scrolled out of the document. The box keeps its place then, and the
// focus comes back to the row when it is there again, or with the next key.

/** @import { ListOptions, VirtualList } from './virtual-list.js' */

/** @typedef {{ key: string, version: string }} Keyed */

/** What has the focus within a row. @param {HTMLElement | null} node */
const buttonOf = (node) => /** @type {HTMLElement | null} */ (node?.querySelector('button') ?? null);

export class RowKeys {
  #box;
  /** @type {VirtualList<any> | null} */
  #list = null;
  /** The row that Tab leads to, and its last place. @type {string | null} */
  #active = null;
  #place = 0;
  /** @type {HTMLElement | null} */
  #marked = null;
  /** The row with the focus has left the document. */
  #lost = false;
  /** The focus is moved by us. */
  #moving = false;

  /** @param {HTMLElement} box what scrolls */
  constructor(box) {
    this.#box = box;
    box.tabIndex = -1;
    box.addEventListener('keydown', (event) => this.#key(event));
    box.addEventListener('focusin', (event) => this.#focused(/** @type {HTMLElement} */ (event.target)));
  }

  /** What the list has to tell. @returns {Pick<ListOptions<any>, 'redrawn' | 'lost' | 'settled'>} */
  get hooks() {
    return {
      redrawn: (node) => this.#focus(buttonOf(node)),
      lost: () => {
        this.#lost = true;
      },
      settled: () => this.#mark(),
    };
  }

  /** @param {VirtualList<any>} list */
  attach(list) {
    this.#list = list;
  }

  /** Tab leads to this row from now on. @param {string} key */
  activate(key) {
    if (this.#active !== key) {
      this.#active = key;
      this.#mark();
    }
  }

  /** Lets Tab in at one place only, and gives the focus back to the row that had it. */
  #mark() {
    const list = this.#list;
    if (!list) {
      return;
    }
    const { rows } = list;
    const place = this.#active === null ? -1 : rows.find(this.#active);
    // Where the row has gone, its neighbour takes its place.
    this.#place = place >= 0 ? place : Math.max(0, Math.min(this.#place, rows.length - 1));
    if (place < 0) {
      this.#active = rows.length > 0 ? rows.at(this.#place).key : null;
    }
    const button = this.#active === null ? null : buttonOf(list.node(this.#active));
    if (this.#marked !== button) {
      this.#marked?.setAttribute('tabindex', '-1');
      this.#marked = button;
    }
    button?.setAttribute('tabindex', '0');
    this.#box.tabIndex = !button && rows.length > 0 ? 0 : -1;
    const focused = document.activeElement;
    const free = focused === null || focused === document.body;
    if ((this.#lost && free) || focused === this.#box) {
      this.#focus(button ?? this.#box);
    }
    this.#lost = false;
  }

  /** @param {HTMLElement | null} element */
  #focus(element) {
    this.#moving = true;
    element?.focus({ preventScroll: true });
    this.#moving = false;
  }

  /** @param {HTMLElement} target */
  #focused(target) {
    const list = this.#list;
    if (this.#moving || !list) {
      return;
    }
    if (target === this.#box) {
      // Not for a mouse that only scrolls.
      if (this.#box.matches(':focus-visible')) {
        this.#go(this.#place);
      }
      return;
    }
    const node = target.closest('[role=listitem]');
    const key = node instanceof HTMLElement ? list.keyOf(node) : null;
    if (key !== null) {
      this.activate(key);
    }
  }

  /** @param {number} place */
  #go(place) {
    const list = this.#list;
    if (!list || list.rows.length === 0) {
      return;
    }
    this.#place = Math.max(0, Math.min(place, list.rows.length - 1));
    const { key } = list.rows.at(this.#place);
    this.#active = key;
    list.reveal(key);
    this.#mark();
    this.#focus(buttonOf(list.node(key)));
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const list = this.#list;
    if (!list || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) {
      return;
    }
    const to = { ArrowDown: this.#place + 1, ArrowUp: this.#place - 1, Home: 0, End: list.rows.length - 1, PageDown: this.#place + list.page, PageUp: this.#place - list.page }[event.key];
    // On the box alone, any other key first finds the row.
    const back = event.target === this.#box && event.key === 'Enter' ? this.#place : undefined;
    const place = to ?? back;
    if (place !== undefined) {
      event.preventDefault();
      this.#go(place);
    }
  }
}
