// A desk's board as its events tell it. Pure.

/** @import { BoardEvent, BoardState, DeskConfig, OperatorStatus, Presence, StreamEvent, Wait } from '../client/frames.js' */

/**
 * @typedef {{ wait: Wait, boost: number, by_hand?: boolean }} Waiting
 * @typedef {{ operator: string, presence: Presence, status: OperatorStatus, since: number }} Operator
 * @typedef {{ grant: number, dialog: number | null, customer: string, operator: string, epoch: number | null }} Grant
 */

/** Lists may come as lists or as maps by id. @param {any} list @returns {any[]} */
const values = (list) => (Array.isArray(list) ? list : Object.values(list ?? {}));

/** Before a board has told. @type {DeskConfig} */
const NOTHING = { queues: {}, operators: {}, grace_ms: 0, grant_resend_ms: 0, reconcile_ms: 0 };

export class Board {
  /** @type {DeskConfig} */
  config = NOTHING;
  /** @type {Map<number, Waiting>} */
  waiting = new Map();
  /** @type {Map<string, Operator>} */
  operators = new Map();
  /** @type {Map<number, Grant>} */
  grants = new Map();
  version = 0;

  /** @param {BoardState | null} state */
  reset(state) {
    this.config = state?.config ?? NOTHING;
    this.waiting = new Map(values(state?.waiting).map((item) => [item.wait.dialog, item]));
    this.operators = new Map(values(state?.operators).map((item) => [item.operator, item]));
    this.grants = new Map(values(state?.grants).map((item) => [item.grant, item]));
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

  /** The line: priority first, then who came first. @returns {Waiting[]} */
  line() {
    const rank = (/** @type {Waiting} */ { wait, boost }) => wait.priority + boost;
    return [...this.waiting.values()].sort(
      (a, b) => rank(b) - rank(a) || a.wait.since - b.wait.since || a.wait.dialog - b.wait.dialog,
    );
  }

  /** The dialogs that an operator has. @param {string} operator @returns {Grant[]} */
  held(operator) {
    return [...this.grants.values()].filter((grant) => grant.operator === operator && grant.dialog !== null);
  }

  /** Slots in use, those granted and not yet held included. @param {string} operator */
  load(operator) {
    return [...this.grants.values()].filter((grant) => grant.operator === operator).length;
  }

  /** @param {number} dialog @returns {string | null} */
  ownerOf(dialog) {
    return [...this.grants.values()].find((grant) => grant.dialog === dialog)?.operator ?? null;
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
      this.waiting.set(event.waiting.wait.dialog, event.waiting);
    } else if ('left' in event) {
      this.waiting.delete(event.left.dialog);
    } else if ('operator' in event) {
      this.operators.set(event.operator.operator, event.operator);
    } else if ('granted' in event) {
      const { grant, dialog = null, customer, operator } = event.granted;
      this.#vacate(dialog);
      this.grants.set(grant, { grant, dialog, customer, operator, epoch: null });
    } else if ('held' in event) {
      const { grant, dialog, epoch } = event.held;
      const had = this.grants.get(grant);
      this.waiting.delete(dialog);
      if (had) {
        this.grants.set(grant, { ...had, dialog, epoch });
      }
    } else if ('refused' in event) {
      this.grants.delete(event.refused.grant);
    } else if ('freed' in event) {
      this.grants.delete(event.freed.grant);
    } else if ('repaired' in event) {
      this.grants.delete(event.repaired.grant);
    }
  }

  /** What is granted waits no longer. @param {number | null} dialog */
  #vacate(dialog) {
    if (dialog !== null) {
      this.waiting.delete(dialog);
    }
  }
}
