// A desk's board as its events tell it. Pure.

/** @import { BoardEvent, BoardState, DeskConfig, OperatorStatus, Presence, StreamEvent, Wait } from '../client/frames.js' */

import { Sorted } from './sorted.js';

/**
 * @typedef {{ wait: Wait, boost: number, by_hand?: boolean }} Waiting
 * @typedef {{ operator: string, presence: Presence, status: OperatorStatus, since: number }} Operator
 * @typedef {{ grant: number, dialog: number | null, customer: string, operator: string, epoch: number | null }} Grant
 */

/** Lists may come as lists or as maps by id. @param {any} list @returns {any[]} */
const values = (list) => (Array.isArray(list) ? list : Object.values(list ?? {}));

/** Before a board has told. @type {DeskConfig} */
const NOTHING = { queues: {}, operators: {}, grace_ms: 0, grant_resend_ms: 0, reconcile_ms: 0 };

/** @param {Waiting} item */
const rank = ({ wait, boost }) => wait.priority + boost;
/** @param {Waiting} a @param {Waiting} b */
const bySince = (a, b) => a.wait.since - b.wait.since || a.wait.dialog - b.wait.dialog;
/** @param {Waiting} a @param {Waiting} b */
const byRank = (a, b) => rank(b) - rank(a) || bySince(a, b);

/**
 * What is asked for at each change of the page costs the same for five waiting and for five
 * thousand: order and owners are kept, not found anew.
 */
export class Board {
  /** @type {DeskConfig} */
  config = NOTHING;
  /** @type {Map<number, Waiting>} */
  #waiting = new Map();
  /** The line: priority first, then who came first. @type {Sorted<Waiting>} */
  line = new Sorted(byRank);
  /** @type {Sorted<Waiting>} */
  #eldest = new Sorted(bySince);
  /** @type {Map<string, Operator>} */
  operators = new Map();
  /** @type {Map<number, Grant>} */
  grants = new Map();
  /** Grants by operator. @type {Map<string, Set<number>>} */
  #byOperator = new Map();
  /** Grants by dialog, the earliest first. @type {Map<number, Set<number>>} */
  #byDialog = new Map();
  /** Grows when the line changes, or who has what. */
  version = 0;

  /** @param {BoardState | null} state */
  reset(state) {
    this.config = state?.config ?? NOTHING;
    this.#waiting = new Map(values(state?.waiting).map((item) => [item.wait.dialog, item]));
    this.line.reset(this.#waiting.values());
    this.#eldest.reset(this.#waiting.values());
    this.operators = new Map(values(state?.operators).map((item) => [item.operator, item]));
    this.grants.clear();
    this.#byOperator.clear();
    this.#byDialog.clear();
    values(state?.grants).forEach((grant) => this.#grant({ ...grant, dialog: grant.dialog ?? null }));
    this.version += 1;
  }

  /** @param {StreamEvent[]} events */
  live(events) {
    for (const { event } of events) {
      if ('board' in event) {
        this.#apply(event.board);
      }
    }
    this.version += 1;
  }

  /** @param {number} dialog @returns {Waiting | null} */
  waits(dialog) {
    return this.#waiting.get(dialog) ?? null;
  }

  /** Since when the one who waits longest waits. @returns {number | null} */
  get waitingSince() {
    return this.#eldest.length > 0 ? this.#eldest.at(0).wait.since : null;
  }

  /** The dialogs that an operator has. @param {string} operator @returns {Grant[]} */
  held(operator) {
    return this.#of(this.#byOperator.get(operator)).filter(({ dialog }) => dialog !== null);
  }

  /** Slots in use, those granted and not yet held included. @param {string} operator */
  load(operator) {
    return this.#byOperator.get(operator)?.size ?? 0;
  }

  /** @param {number} dialog @returns {string | null} */
  ownerOf(dialog) {
    return this.#of(this.#byDialog.get(dialog))[0]?.operator ?? null;
  }

  /** @param {string} operator */
  nameOf(operator) {
    return this.config.operators?.[operator]?.name || operator;
  }

  /** @param {string | null} queue */
  titleOf(queue) {
    return queue ? this.config.queues?.[queue]?.title || queue : '';
  }

  /** @param {string} operator */
  capacityOf(operator) {
    return this.config.operators?.[operator]?.capacity ?? 0;
  }

  /** @param {BoardEvent} event */
  #apply(event) {
    if ('configured' in event) {
      this.config = event.configured;
    } else if ('waiting' in event) {
      this.#wait(event.waiting);
    } else if ('left' in event) {
      this.#leave(event.left.dialog);
    } else if ('operator' in event) {
      this.operators.set(event.operator.operator, event.operator);
    } else if ('granted' in event) {
      const { grant, dialog = null, customer, operator } = event.granted;
      // What is granted waits no longer.
      this.#leave(dialog);
      this.#grant({ grant, dialog, customer, operator, epoch: null });
    } else if ('held' in event) {
      const { grant, dialog, epoch } = event.held;
      const had = this.grants.get(grant);
      this.#leave(dialog);
      if (had) {
        this.#grant({ ...had, dialog, epoch });
      }
    } else if ('refused' in event) {
      this.#end(event.refused.grant);
    } else if ('freed' in event) {
      this.#end(event.freed.grant);
    } else if ('repaired' in event) {
      this.#end(event.repaired.grant);
    }
  }

  /** @param {Waiting} item */
  #wait(item) {
    this.#leave(item.wait.dialog);
    this.#waiting.set(item.wait.dialog, item);
    this.line.add(item);
    this.#eldest.add(item);
  }

  /** @param {number | null} dialog */
  #leave(dialog) {
    const item = dialog === null ? null : this.#waiting.get(dialog);
    if (item) {
      this.#waiting.delete(item.wait.dialog);
      this.line.delete(item);
      this.#eldest.delete(item);
    }
  }

  /** @param {Grant} grant */
  #grant(grant) {
    this.grants.set(grant.grant, grant);
    into(this.#byOperator, grant.operator, grant.grant);
    if (grant.dialog !== null) {
      into(this.#byDialog, grant.dialog, grant.grant);
    }
  }

  /** @param {number} id */
  #end(id) {
    const grant = this.grants.get(id);
    if (grant) {
      this.grants.delete(id);
      outOf(this.#byOperator, grant.operator, id);
      outOf(this.#byDialog, grant.dialog, id);
    }
  }

  /** @param {Set<number> | undefined} ids @returns {Grant[]} */
  #of(ids) {
    return [...(ids ?? [])].flatMap((id) => this.grants.get(id) ?? []);
  }
}

/** @template Key @param {Map<Key, Set<number>>} map @param {Key} key @param {number} id */
function into(map, key, id) {
  const ids = map.get(key) ?? new Set();
  map.set(key, ids.add(id));
}

/** @template Key @param {Map<Key, Set<number>>} map @param {Key | null} key @param {number} id */
function outOf(map, key, id) {
  const ids = key === null ? undefined : map.get(key);
  ids?.delete(id);
  if (key !== null && ids?.size === 0) {
    map.delete(key);
  }
}
