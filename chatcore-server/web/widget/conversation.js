// The customer's side of one conversation at a time: which dialog it is, and what may be done.

/** @import { Button, Content, CustomerCommand } from '../client/frames.js' */
/** @import { ChatStore } from '../model/store.js' */
/** @import { Dialog, Entry } from '../model/dialog.js' */

/** Who ends it says so by this outcome. */
const ENDED_BY_CUSTOMER = 'by_customer';

export class Conversation {
  #store;
  #channel;
  #asked = false;
  /** Began here, its events not yet arrived. @type {number | null} */
  #opened = null;
  /** The first words, while the dialog for them is being opened. @type {string | null} */
  first = null;

  /** @param {ChatStore} store @param {string} channel */
  constructor(store, channel) {
    this.#store = store;
    this.#channel = channel;
    store.on('customer', ({ name, dialog }) => {
      if (name === 'dialog_opened' && dialog !== null) {
        this.#opened = Math.max(this.#opened ?? 0, dialog);
      }
    });
    store.client.on('welcome', () => this.#findLast());
  }

  /** The one shown: the newest open one, else the newest. @returns {Dialog | null} */
  get dialog() {
    const all = [...this.#store.dialogs.values()].sort((a, b) => b.id - a.id);
    return all.find(({ phase }) => phase !== 'closed') ?? all[0] ?? null;
  }

  /** Whether what is written goes into the shown dialog, rather than into a new one. */
  get open() {
    const phase = this.dialog?.phase;
    return phase !== undefined && phase !== 'closed';
  }

  get customer() {
    const me = this.#store.me;
    return me && typeof me !== 'string' && 'customer' in me ? me.customer : '';
  }

  /** @param {string} text */
  async say(text) {
    const dialog = this.dialog;
    if (dialog && this.open) {
      await this.#message(dialog.id, { text }, null);
      return;
    }
    this.first = text;
    try {
      const id = await this.begin();
      // From here on the client keeps it; its outcome shows in the list.
      this.#message(id, { text }, null);
    } finally {
      this.first = null;
    }
  }

  /** Opens a dialog, or finds the open one. @returns {Promise<number>} */
  async begin() {
    const outcome = await this.#send({ open: { channel: this.#channel, topic: null } });
    if (outcome === 'settled' || 'rejected' in outcome || !outcome.accepted.dialog) {
      throw Object.assign(new Error('not opened'), { outcome });
    }
    return outcome.accepted.dialog;
  }

  /** @param {Entry} entry @param {Button} button */
  press(entry, button) {
    return this.#inDialog((dialog) => this.#message(dialog, { pressed: button }, entry.seq));
  }

  /** @param {number} message @param {string} text */
  edit(message, text) {
    return this.#inDialog((dialog) => this.#send({ edit: { dialog, message, body: { text }, owner_epoch: null } }));
  }

  /** @param {number} message */
  withdraw(message) {
    return this.#inDialog((dialog) => this.#send({ delete: { dialog, message, owner_epoch: null } }));
  }

  askPerson() {
    return this.#inDialog((dialog) => this.#send({ ask_person: { dialog, queue: null } }));
  }

  end() {
    return this.#inDialog((dialog) => this.#send({ close: { dialog, owner_epoch: null, outcome: ENDED_BY_CUSTOMER } }));
  }

  reopen() {
    return this.#inDialog((dialog) => this.#send({ reopen: { dialog } }));
  }

  /** @param {number} score @param {string} comment */
  rate(score, comment) {
    const body = comment ? { text: comment } : null;
    return this.#inDialog((dialog) => this.#send({ rate: { dialog, score, comment: body } }));
  }

  typing() {
    if (this.dialog && this.open) {
      this.#store.client.typing(this.dialog.id);
    }
  }

  /** Tells how far everything was received, and read when it is in sight. @param {boolean} inSight */
  seen(inSight) {
    const { dialog, customer } = this;
    if (dialog && customer) {
      this.#store.client.cursor({ customer }, dialog.id, dialog.position, inSight ? dialog.position : 0);
    }
  }

  /** @param {(dialog: number) => Promise<import('../client/frames.js').Outcome | 'settled'>} act */
  async #inDialog(act) {
    if (!this.dialog) {
      throw new Error('there is no dialog');
    }
    return act(this.dialog.id);
  }

  /** @param {number} dialog @param {Content} body @param {number | null} reply_to */
  #message(dialog, body, reply_to) {
    return this.#send({ message: { dialog, body, reply_to, owner_epoch: null } });
  }

  /** @param {CustomerCommand} command */
  #send(command) {
    return this.#store.toCustomer(this.customer, command);
  }

  /** Open dialogs come by themselves; a closed one is looked for once, to be read, rated, reopened. */
  async #findLast() {
    if (this.#asked) {
      return;
    }
    this.#asked = true;
    try {
      const { dialogs } = await this.#store.client.get(`/api/customers/${encodeURIComponent(this.customer)}/dialogs?limit=1`);
      const last = dialogs[0]?.dialog;
      if (last && !this.#store.dialogs.has(last)) {
        this.#store.client.follow(`dialog/${last}`);
      }
    } catch {
      this.#asked = false;
    }
  }
}
