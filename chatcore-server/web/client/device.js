// One device id per tab. Commands are counted by it, so two tabs must never share one: a duplicated
// tab inherits the session storage, and finds the id taken.

/** @import { Store } from './storage.js' */

const KEY = 'chatcore.device';
/** A reloaded page may start before the old one's claim is gone. */
const CLAIM_WAIT_MS = 300;

/** @typedef {(id: string) => Promise<(() => void) | null>} Claim takes an id; null when another tab has it */

export class Device {
  #store;
  #claim;
  /** @type {string | null} */
  #id = null;
  #release = () => {};

  /** @param {Store} store of this tab alone @param {Claim} claim */
  constructor(store, claim = pageClaim()) {
    this.#store = store;
    this.#claim = claim;
  }

  /** This tab's id; made, claimed and kept at the first call. @param {number} now @returns {Promise<string>} */
  async id(now) {
    if (this.#id) {
      return this.#id;
    }
    const kept = this.#store.getItem(KEY);
    if (kept && (await this.adopt(kept))) {
      return kept;
    }
    return this.renew(now);
  }

  /** Takes a new id, for ever; it says when it was made. @param {number} now the server's time @returns {Promise<string>} */
  async renew(now) {
    const id = `d-${Math.max(0, Math.round(now))}-${crypto.randomUUID()}`;
    await this.adopt(id);
    return id;
  }

  /** Takes over an id, unless another tab has it. @param {string} id @returns {Promise<boolean>} */
  async adopt(id) {
    const release = await this.#claim(id);
    if (!release) {
      return false;
    }
    this.#release();
    this.#release = release;
    this.#id = id;
    this.#store.setItem(KEY, id);
    return true;
  }

  release() {
    this.#release();
    this.#release = () => {};
    this.#id = null;
  }
}

/** How tabs of this browser claim ids. @returns {Claim} */
export function pageClaim() {
  return globalThis.navigator?.locks ? lockClaim : channelClaim;
}

/** @type {Claim} */
function lockClaim(id) {
  return new Promise((resolve) => {
    const wait = { signal: AbortSignal.timeout(CLAIM_WAIT_MS) };
    const held = () => new Promise((release) => resolve(() => release(undefined)));
    navigator.locks.request(`${KEY}/${id}`, wait, held).catch(() => resolve(null));
  });
}

/** Where the page is not a secure context, tabs ask each other. @type {Claim} */
async function channelClaim(id) {
  if (!('BroadcastChannel' in globalThis)) {
    return () => {};
  }
  const channel = new BroadcastChannel(KEY);
  const nonce = crypto.getRandomValues(new Uint32Array(2)).join('-');
  const taken = await new Promise((resolve) => {
    channel.onmessage = ({ data }) => data.held === id && data.for === nonce && resolve(true);
    channel.postMessage({ asks: id, nonce });
    setTimeout(() => resolve(false), CLAIM_WAIT_MS);
  });
  if (taken) {
    channel.close();
    return null;
  }
  channel.onmessage = ({ data }) => data.asks === id && channel.postMessage({ held: id, for: data.nonce });
  return () => channel.close();
}
