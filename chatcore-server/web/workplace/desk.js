// What an operator may do with a dialog, and the commands for it.

/** @import { Content, CustomerCommand, OperatorStatus, Outcome, Participant, TransferTo } from '../client/frames.js' */
/** @import { ChatStore } from '../model/store.js' */
/** @import { Dialog } from '../model/dialog.js' */

/** @typedef {Promise<Outcome | 'settled'>} Doing */

export class Desk {
  #store;

  /** @param {ChatStore} store */
  constructor(store) {
    this.#store = store;
  }

  get me() {
    const me = this.#store.me;
    return me && typeof me !== 'string' && 'staff' in me ? me.staff : '';
  }

  get id() {
    return this.#store.client.welcome?.desk ?? 'main';
  }

  get supervisor() {
    return ['supervisor', 'chief_specialist'].includes(this.#store.client.welcome?.role ?? '');
  }

  /** Whether this person may take away what others wrote. */
  get removes() {
    return this.#store.client.welcome?.role === 'supervisor';
  }

  get online() {
    return this.#store.client.state.online;
  }

  /** Who has a dialog now: the board hears of it even where the dialog may no longer be followed. @param {Dialog} dialog @returns {string | null} */
  owner(dialog) {
    const { board } = this.#store;
    return board.waits(dialog.id) ? null : (board.ownerOf(dialog.id) ?? (dialog.phase === 'closed' ? null : dialog.owner));
  }

  /** Where a dialog is in its life; the board hears of a new owner even where the dialog may no longer be followed. @param {Dialog} dialog */
  phase(dialog) {
    return dialog.phase === 'waiting' && this.owner(dialog) !== null ? 'assigned' : dialog.phase;
  }

  /** Whether this operator has it, as far as both the dialog and the board say. @param {Dialog} dialog */
  mine(dialog) {
    return dialog.owner === this.me && this.owner(dialog) === this.me;
  }

  /** What may be done now. @param {Dialog} dialog */
  may(dialog) {
    const { phase } = dialog;
    const mine = this.mine(dialog);
    const waiting = this.#store.board.waits(dialog.id) !== null;
    const tended = mine || this.supervisor;
    return {
      take: waiting && this.#store.client.welcome?.role !== 'auditor',
      assign: this.supervisor && (waiting || (this.owner(dialog) !== null && phase !== 'closed')),
      answer: mine && (phase === 'assigned' || phase === 'on_hold'),
      note: tended || (phase === 'closed' && this.#closedByMe(dialog)),
      hold: mine && phase === 'assigned',
      resume: mine && (phase === 'on_hold' || phase === 'wrap_up'),
      pass: mine && (phase === 'assigned' || phase === 'on_hold'),
      wrapUp: mine && (phase === 'assigned' || phase === 'on_hold'),
      close: mine,
      reopen: phase === 'closed' && (this.supervisor || this.#closedByMe(dialog)),
      label: tended || (phase === 'closed' && this.#closedByMe(dialog)),
    };
  }

  /** @param {OperatorStatus} status @returns {Doing} */
  status(status) {
    return this.#store.toDesk({ status: { operator: this.me, status } });
  }

  /** @param {number} dialog @returns {Doing} */
  take(dialog) {
    return this.#store.toDesk({ take: { dialog } });
  }

  /** @param {number} dialog @param {string} operator @param {boolean} over_capacity @returns {Doing} */
  assign(dialog, operator, over_capacity) {
    return this.#store.toDesk({ assign: { dialog, operator, over_capacity } });
  }

  /** @param {string} customer @param {string} channel @param {string} queue @returns {Doing} */
  begin(customer, channel, queue) {
    return this.#store.toDesk({ begin: { customer, channel, queue } });
  }

  /** @param {Dialog} dialog @param {string} text @param {number | null} reply_to */
  answer(dialog, text, reply_to = null) {
    return this.#to(dialog, { message: { dialog: dialog.id, body: { text }, reply_to, owner_epoch: dialog.epoch } });
  }

  /** @param {Dialog} dialog @param {string} text */
  note(dialog, text) {
    return this.#to(dialog, { note: { dialog: dialog.id, body: { text } } });
  }

  /** A note about its customer. @param {Dialog} dialog @param {string} text */
  noteCustomer(dialog, text) {
    return this.#to(dialog, { note_customer: { dialog: dialog.id, body: { text } } });
  }

  /** @param {Dialog} dialog @param {number} note */
  removeCustomerNote(dialog, note) {
    return this.#to(dialog, { remove_customer_note: { dialog: dialog.id, note } });
  }

  /** @param {Dialog} dialog @param {number} message @param {string} text */
  edit(dialog, message, text) {
    return this.#to(dialog, { edit: { dialog: dialog.id, message, body: { text }, owner_epoch: dialog.epoch } });
  }

  /** @param {Dialog} dialog @param {number} message */
  remove(dialog, message) {
    return this.#to(dialog, { delete: { dialog: dialog.id, message, owner_epoch: this.mine(dialog) ? dialog.epoch : null } });
  }

  /** @param {Dialog} dialog @param {'hold' | 'resume' | 'wrap_up' | 'return_to_queue'} step */
  step(dialog, step) {
    const owned = { dialog: dialog.id, owner_epoch: dialog.epoch };
    return this.#to(dialog, /** @type {CustomerCommand} */ ({ [step]: owned }));
  }

  /** @param {Dialog} dialog @param {TransferTo} to @param {string} note */
  transfer(dialog, to, note) {
    /** @type {Content | null} */
    const body = note ? { text: note } : null;
    return this.#to(dialog, { transfer: { dialog: dialog.id, owner_epoch: dialog.epoch, to, note: body } });
  }

  /** @param {Dialog} dialog @param {string} outcome */
  close(dialog, outcome) {
    return this.#to(dialog, { close: { dialog: dialog.id, owner_epoch: dialog.epoch, outcome } });
  }

  /** @param {Dialog} dialog */
  reopen(dialog) {
    return this.#to(dialog, { reopen: { dialog: dialog.id } });
  }

  /** @param {Dialog} dialog @param {string[]} tags */
  tag(dialog, tags) {
    return this.#to(dialog, { set_tags: { dialog: dialog.id, tags } });
  }

  /** @param {Dialog} dialog @param {string | null} topic */
  topic(dialog, topic) {
    return this.#to(dialog, { set_topic: { dialog: dialog.id, topic } });
  }

  /** Tells how far a dialog of one's own was received and read. @param {Dialog} dialog @param {boolean} inSight */
  seen(dialog, inSight) {
    if (this.mine(dialog)) {
      this.#store.client.cursor({ customer: dialog.customer }, dialog.id, dialog.position, inSight ? dialog.position : 0);
    }
  }

  /** @param {Dialog} dialog @param {CustomerCommand} command @returns {Doing} */
  #to(dialog, command) {
    return this.#store.toCustomer(dialog.customer, command);
  }

  /** @param {Dialog} dialog */
  #closedByMe(dialog) {
    const closed = dialog.entries.findLast(({ line }) => line?.name === 'closed');
    const assigned = dialog.entries.findLast(({ line }) => line?.name === 'assigned');
    return isStaff(closed?.author, this.me) || assigned?.line?.operator === this.me;
  }
}

/** @param {Participant | undefined} who @param {string} staff */
function isStaff(who, staff) {
  return who !== undefined && typeof who !== 'string' && 'staff' in who && who.staff === staff;
}

/** A label as the server takes it: letters, digits and `._-:@`; blanks become dashes. @param {string} text */
export function labelOf(text) {
  return text.trim().toLowerCase().replace(/\s+/gu, '-').replace(/[^a-z0-9._:@-]/gu, '').slice(0, 64);
}
