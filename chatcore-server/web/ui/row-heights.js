// How high the rows of a list are: each by itself, or all alike. Pure.

/** Less than this is not a difference. */
const SAME_PX = 0.5;

/**
 * Where rows begin. `at` and `top` hold for the rows of the last `update`; `learn` says whether any
 * height differs from what was assumed.
 *
 * @typedef {{
 *   update: (length: number, key: (index: number) => string) => number,
 *   top: (index: number) => number,
 *   at: (y: number) => number,
 *   learn: (rows: Iterable<[key: string, height: number]>) => boolean,
 *   forget: () => void,
 * }} Heights
 */

/** Rows of any height: estimated until drawn, then measured. @implements {Heights} */
export class OwnHeights {
  #estimate;
  /** @type {Float64Array} where each row begins; the last is the end */
  #tops = new Float64Array(1);
  #length = 0;
  /** @type {Map<string, number>} */
  #heights = new Map();

  /** @param {number} estimate of a row that was never drawn */
  constructor(estimate) {
    this.#estimate = estimate;
  }

  /** @param {number} length @param {(index: number) => string} key */
  update(length, key) {
    if (this.#tops.length !== length + 1) {
      this.#tops = new Float64Array(length + 1);
    }
    let top = 0;
    for (let index = 0; index < length; index += 1) {
      this.#tops[index] = top;
      top += this.#heights.get(key(index)) ?? this.#estimate;
    }
    this.#tops[length] = top;
    this.#length = length;
    return top;
  }

  /** @param {number} index */
  top(index) {
    return this.#tops[index];
  }

  /** The row at this height. @param {number} y */
  at(y) {
    let [low, high] = [0, Math.max(0, this.#length - 1)];
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

  /** @param {Iterable<[string, number]>} rows */
  learn(rows) {
    let changed = false;
    for (const [key, height] of rows) {
      changed ||= Math.abs(height - (this.#heights.get(key) ?? this.#estimate)) > SAME_PX;
      this.#heights.set(key, height);
    }
    return changed;
  }

  forget() {
    this.#heights.clear();
  }
}

/** Rows that are all alike: nothing here costs more for a longer list. @implements {Heights} */
export class EvenHeights {
  #height;
  #length = 0;

  /** @param {number} estimate until the first was drawn */
  constructor(estimate) {
    this.#height = estimate;
  }

  /** @param {number} length */
  update(length) {
    this.#length = length;
    return length * this.#height;
  }

  /** @param {number} index */
  top(index) {
    return index * this.#height;
  }

  /** @param {number} y */
  at(y) {
    return Math.max(0, Math.min(this.#length - 1, Math.floor(y / this.#height)));
  }

  /** @param {Iterable<[string, number]>} rows */
  learn(rows) {
    for (const [, height] of rows) {
      // In a list that is not shown nothing has a height.
      const changed = height > 0 && Math.abs(height - this.#height) > SAME_PX;
      this.#height = changed ? height : this.#height;
      return changed;
    }
    return false;
  }

  forget() {}
}
