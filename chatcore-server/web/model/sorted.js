// A list that stays in order. What is found, added or taken out is searched for by halves; nothing is
// sorted again. Pure.

/** @template Item */
export class Sorted {
  /** @type {Item[]} */
  #items = [];
  #compare;

  /** @param {(a: Item, b: Item) => number} compare 0 only for what is the same */
  constructor(compare) {
    this.#compare = compare;
  }

  get length() {
    return this.#items.length;
  }

  /** @param {number} index @returns {Item} */
  at(index) {
    return this.#items[index];
  }

  /** @param {Iterable<Item>} items instead of those that it has */
  reset(items) {
    this.#items = [...items].sort(this.#compare);
  }

  /** @param {Item} item */
  add(item) {
    this.#items.splice(this.#place(item), 0, item);
  }

  /** @param {Item} item @returns {boolean} whether it was there */
  delete(item) {
    const index = this.indexOf(item);
    if (index >= 0) {
      this.#items.splice(index, 1);
    }
    return index >= 0;
  }

  /** @param {Item} item @returns {number} -1 where it is not */
  indexOf(item) {
    const index = this.#place(item);
    const found = this.#items[index];
    return found !== undefined && this.#compare(found, item) === 0 ? index : -1;
  }

  [Symbol.iterator]() {
    return this.#items[Symbol.iterator]();
  }

  /** The first place whose item does not come before this one. @param {Item} item */
  #place(item) {
    let [low, high] = [0, this.#items.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#compare(this.#items[middle], item) < 0) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }
}
