// The protocol's types; docs/spec/protocol.md says what they mean. Nothing here runs.
//
// Made from docs/spec/frames.schema.json by `cargo xtask types`: change the server's types, never this file.

/**
 * A command that was done.
 *
 * @typedef {{ dialog?: DialogId | null, redacted?: boolean, seq: Seq }} Accepted
 */

/**
 * How the dialogs of a queue find operators.
 *
 * @typedef {'manual' | 'longest_free' | 'least_loaded' | { custom: string }} Assignment
 */

/**
 * Why an operator was chosen. Kept with each grant.
 *
 * @typedef {{
 *   how: string,
 *   instead_of?: string | null,
 *   next: StaffId[],
 *   over_capacity?: boolean,
 *   refused: Record<string, number>,
 * }} AssignmentReason
 */

/**
 * How surely a person is who they say.
 *
 * @typedef {'anonymous' | 'known' | 'authenticated' | 'stepped_up'} Assurance
 */

/**
 * What happened on a desk.
 *
 * @typedef {{ configured: DeskConfig }
 *   | { waiting: { boost: number, by_hand?: boolean, wait: Wait } }
 *   | { left: { dialog: DialogId } }
 *   | {
 *     operator: {
 *       nodes: NodeName[],
 *       operator: StaffId,
 *       presence: Presence,
 *       since: Timestamp,
 *       status: OperatorStatus,
 *     },
 *   }
 *   | {
 *     granted: {
 *       by: Participant,
 *       customer: CustomerId,
 *       dialog?: DialogId | null,
 *       grant: GrantId,
 *       operator: StaffId,
 *       reason: AssignmentReason,
 *       what: Granted,
 *     },
 *   }
 *   | { held: { dialog: DialogId, epoch: OwnerEpoch, grant: GrantId } }
 *   | { refused: { code: Label, grant: GrantId } }
 *   | { freed: { dialog: DialogId, grant: GrantId } }
 *   | { resent: { grants: GrantId[] } }
 *   | { confirming: { grants: GrantId[], more_after?: GrantId | null } }
 *   | { silence: { from: Timestamp, to: Timestamp } }
 *   | { matching: { more: boolean } }
 *   | { repaired: { grant: GrantId } }} BoardEvent
 */

/**
 * A grant that stands or is asked for.
 *
 * @typedef {{
 *   customer: CustomerId,
 *   dialog?: DialogId | null,
 *   epoch?: OwnerEpoch | null,
 *   grant: GrantId,
 *   operator: StaffId,
 * }} BoardGrant
 */

/**
 * An operator on a board.
 *
 * @typedef {{ operator: StaffId, presence: Presence, since: Timestamp, status: OperatorStatus }} BoardOperator
 */

/**
 * A board as of a position.
 *
 * @typedef {{ config: DeskConfig, grants: BoardGrant[], operators: BoardOperator[], waiting: BoardWaiting[] }} BoardState
 */

/**
 * A dialog that waits.
 *
 * @typedef {{ boost: number, by_hand: boolean, wait: Wait }} BoardWaiting
 */

/**
 * A button of a message.
 *
 * @typedef {{ id: string, label: string }} Button
 */

/**
 * A line of a card.
 *
 * @typedef {{ label: string, value: string }} CardField
 */

/**
 * @typedef {string} ChainHash
 */

/**
 * Where a dialog is held: `web`, `mobile`, `telegram` …
 *
 * @typedef {string} ChannelId
 */

/**
 * A frame of a client: one JSON object with one key, its kind.
 *
 * @typedef {{ hello: Hello }
 *   | { follow: { after?: ClientPosition | null, stream: StreamName } }
 *   | { unfollow: { stream: StreamName } }
 *   | { send: { command: Command, n: number, target: Target } }
 *   | { settle: { n: number, target: Target } }
 *   | { cursor: { delivered: Seq, dialog: DialogId, read: Seq, target: Target } }
 *   | { typing: { dialog: DialogId } }
 *   | { refresh: { token: Secret } }
 *   | { ping: {} }
 *   | { pong: {} }} ClientFrame
 */

/**
 * A position that a client has. Strict where the stored one is lenient.
 *
 * @typedef {{ hash: ChainHash, seq: Seq }} ClientPosition
 */

/**
 * A command to either machine.
 *
 * @typedef {{ customer: CustomerCommand } | { desk: DeskCommand } | { parked: ParkedCommand }} Command
 */

/**
 * What a message says.
 *
 * @typedef {{ text: string }
 *   | { buttons: { buttons: Button[], text: string } }
 *   | { quick_replies: { replies: Button[], text: string } }
 *   | { pressed: { id: string, label: string } }
 *   | { attachment: { bytes: number, media_type: string, name: string, reference: string } }
 *   | { card: { buttons: Button[], fields: CardField[], title: string } }
 *   | 'erased'} Content
 */

/**
 * How far a participant has received and read a dialog; the highest wins.
 *
 * @typedef {{ delivered: Seq, dialog: DialogId, participant: Participant, read: Seq }} CursorMove
 */

/**
 * A command to a customer. `B` is the form of what people write: [`Content`] before admission,
 * [`Sealed`] after it.
 *
 * Who may send which is checked at admission by rights and here by ownership: commands of an
 * owner carry the `owner_epoch` that they saw, and a late one is rejected.
 *
 * [`Content`]: crate::content::Content
 * [`Sealed`]: crate::content::Sealed
 *
 * @typedef {{ open: Open }
 *   | { write: { body: Content, open: Open } }
 *   | { message: Message }
 *   | { edit: { body: Content, dialog: DialogId, message: Seq, owner_epoch?: OwnerEpoch | null } }
 *   | { delete: { dialog: DialogId, message: Seq, owner_epoch?: OwnerEpoch | null } }
 *   | { ask_person: { dialog: DialogId, queue?: QueueRef | null } }
 *   | {
 *     bot_answer: {
 *       dialog: DialogId,
 *       hand_over?: HandOver | null,
 *       owner_epoch: OwnerEpoch,
 *       replies: Content[],
 *       seen: Seq,
 *     },
 *   }
 *   | { transfer: { dialog: DialogId, note?: Content | null, owner_epoch: OwnerEpoch, to: TransferTo } }
 *   | { return_to_queue: { dialog: DialogId, owner_epoch: OwnerEpoch } }
 *   | { hold: { dialog: DialogId, owner_epoch: OwnerEpoch } }
 *   | { resume: { dialog: DialogId, owner_epoch: OwnerEpoch } }
 *   | { note: { body: Content, dialog: DialogId } }
 *   | { note_customer: { body: Content, dialog: DialogId } }
 *   | { remove_customer_note: { dialog: DialogId, note: NoteId } }
 *   | { set_tags: { dialog: DialogId, tags: Label[] } }
 *   | { set_topic: { dialog: DialogId, topic?: Label | null } }
 *   | { wrap_up: { dialog: DialogId, owner_epoch: OwnerEpoch } }
 *   | { close: { dialog: DialogId, outcome: Label, owner_epoch?: OwnerEpoch | null } }
 *   | { reopen: { dialog: DialogId } }
 *   | { rate: { comment?: Content | null, dialog: DialogId, score: number } }
 *   | { cursor: { delivered: Seq, dialog: DialogId, read: Seq } }
 *   | { system: { body: Content, dialog: DialogId } }
 *   | { emergency: { body: Content, dialog?: DialogId | null, incident: Label } }
 *   | { undelivered: { dialog: DialogId, message: Seq, reason: Label } }
 *   | { link: { other: CustomerId } }
 *   | { grant: Grant }
 *   | { confirm: { desk: DeskId, dialog: DialogId, epoch: OwnerEpoch, grant: GrantId } }
 *   | { owner_lost: { desk: DeskId, dialog: DialogId, epoch: OwnerEpoch, grant: GrantId } }
 *   | { archived: { dialog: DialogId, upto: Position } }
 *   | { timer: { generation: number, key: CustomerTimer } }} CustomerCommand
 */

/**
 * What happened to a customer as a whole.
 *
 * @typedef {{ dialog_opened: { dialog: DialogId } }
 *   | { dialog_closed: { dialog: DialogId } }
 *   | { dialog_reopened: { dialog: DialogId } }
 *   | { dialog_settled: { dialog: DialogId } }
 *   | { linked: { other: CustomerId } }} CustomerEvent
 */

/**
 * A customer. It never changes: for a channel it is a keyed hash of channel and external id.
 *
 * @typedef {string} CustomerId
 */

/**
 * Whether a customer is here, for staff: whether a session of theirs, at any node, follows the
 * dialog. Late by a few seconds, never stored.
 *
 * @typedef {'here' | { away: { since?: Timestamp | null } }} CustomerPresence
 */

/**
 * The timers of a customer's dialogs.
 *
 * @typedef {{ wrap_up: DialogId } | { reopen_ends: DialogId }} CustomerTimer
 */

/**
 * A command to a desk.
 *
 * @typedef {{ wait: Wait }
 *   | { leave: { dialog: DialogId, epoch: OwnerEpoch } }
 *   | { came: { node: NodeName, operator: StaffId } }
 *   | { status: { operator: StaffId, status: OperatorStatus } }
 *   | { lost: { node: NodeName, operator: StaffId } }
 *   | { take: { dialog: DialogId } }
 *   | { assign: { dialog: DialogId, operator: StaffId, over_capacity?: boolean } }
 *   | { begin: { channel: ChannelId, customer: CustomerId, queue: QueueId, settings?: DialogSettings } }
 *   | { pass: { operator: StaffId, wait: Wait } }
 *   | { held: { customer: CustomerId, dialog: DialogId, epoch: OwnerEpoch, grant: GrantId } }
 *   | { refused: { grant: GrantId, reason: Rejection } }
 *   | { freed: { dialog: DialogId, grant: GrantId } }
 *   | { confirmed: { grant: GrantId, stands: boolean } }
 *   | { configure: DeskConfig }
 *   | { silence: { from: Timestamp, to: Timestamp } }
 *   | { timer: { generation: number, key: DeskTimer } }} DeskCommand
 */

/**
 * The rules of a desk.
 *
 * @typedef {{
 *   grace_ms: number,
 *   grant_resend_ms: number,
 *   operators: Record<string, OperatorConfig>,
 *   queues: Record<string, QueueConfig>,
 *   reconcile_ms: number,
 * }} DeskConfig
 */

/**
 * A desk: a set of operators and the queues they serve.
 *
 * @typedef {string} DeskId
 */

/**
 * The timers of a desk.
 *
 * @typedef {{ grace: StaffId } | 'resend' | 'reconcile' | 'match'} DeskTimer
 */

/**
 * One device (tab, phone) of an author; the unit in which commands are counted. Its text says
 * when it was made: see [`made_at`](Self::made_at).
 *
 * @typedef {string} DeviceId
 */

/**
 * A dialog in short, as of a position.
 *
 * @typedef {{
 *   assurance?: Assurance | null,
 *   channel?: ChannelId | null,
 *   customer: CustomerId,
 *   desk?: DeskId | null,
 *   epoch: OwnerEpoch,
 *   owner?: StaffId | null,
 *   phase: Phase,
 *   queue?: QueueRef | null,
 *   rating?: number | null,
 *   since?: Timestamp | null,
 *   tags: Label[],
 *   topic?: Label | null,
 * }} DialogBrief
 */

/**
 * What happened in a dialog. `B` as in [`CustomerCommand`](super::CustomerCommand).
 *
 * @typedef {{
 *     opened: {
 *       assurance?: Assurance | null,
 *       by: Participant,
 *       channel: ChannelId,
 *       customer: CustomerId,
 *       topic?: Label | null,
 *     },
 *   }
 *   | { ruled: { settings: DialogSettings } }
 *   | {
 *     message: { assurance?: Assurance | null, author: Participant, body: Content, reply_to?: Seq | null },
 *   }
 *   | { edited: { assurance?: Assurance | null, body: Content, message: Seq } }
 *   | { deleted: { by: Participant, message: Seq } }
 *   | {
 *     waiting: { by: Participant, epoch: OwnerEpoch, queue: QueueRef, reason: Label, since: Timestamp },
 *   }
 *   | {
 *     assigned: {
 *       desk: DeskId,
 *       epoch: OwnerEpoch,
 *       from?: StaffId | null,
 *       grant: GrantId,
 *       operator: StaffId,
 *       queue: QueueRef,
 *     },
 *   }
 *   | 'held'
 *   | 'resumed'
 *   | { note: { author: Participant, body: Content } }
 *   | { customer_noted: { author: Participant, body: Content, note: NoteId } }
 *   | { customer_note_removed: { by: Participant, note: NoteId } }
 *   | { tagged: { by: Participant, tags: Label[] } }
 *   | { topic_set: { by: Participant, topic?: Label | null } }
 *   | 'wrap_up'
 *   | { closed: { by: Participant, epoch: OwnerEpoch, outcome: Label } }
 *   | { reopened: { by: Participant, epoch: OwnerEpoch } }
 *   | { rated: { comment?: Content | null, score: number } }
 *   | { system: { body: Content } }
 *   | { emergency: { body: Content, incident: Label } }
 *   | { undelivered: { message: Seq, reason: Label } }} DialogEvent
 */

/**
 * The number of a dialog, shown to both sides: `partition counter × partitions + partition`.
 *
 * @typedef {number} DialogId
 */

/**
 * The rules for one dialog, fixed when it is opened.
 *
 * @typedef {{ bot: boolean, priority: number, queue: QueueRef, reopen_ms: number, wrap_up_ms: number }} DialogSettings
 */

/**
 * Error codes of the wire: a stable list of its own. A retired code is never used again.
 *
 * @typedef {'bad_frame'
 *   | 'hello_expected'
 *   | 'too_large'
 *   | 'too_deep'
 *   | 'invalid'
 *   | 'forbidden'
 *   | 'expired'
 *   | 'not_found'
 *   | 'overloaded'
 *   | 'rebuilding'
 *   | 'unavailable'
 *   | 'internal'} ErrorCode
 */

/**
 * An event of any stream.
 *
 * @typedef {{ dialog: DialogEvent } | { customer: CustomerEvent } | { board: BoardEvent }} Event
 */

/**
 * A desk gives a dialog to an operator. Sent again until answered with held or refused.
 *
 * @typedef {{ desk: DeskId, grant: GrantId, operator: StaffId, what: Granted }} Grant
 */

/**
 * One grant of a desk, counted per desk.
 *
 * @typedef {number} GrantId
 */

/**
 * What a grant is about.
 *
 * @typedef {{ waiting: { dialog: DialogId, expected_epoch: OwnerEpoch } }
 *   | { take_over: { dialog: DialogId, expected_epoch: OwnerEpoch } }
 *   | { new: { channel: ChannelId, settings: DialogSettings } }} Granted
 */

/**
 * The bot gives the dialog to people.
 *
 * @typedef {{ queue?: QueueRef | null, reason: Label }} HandOver
 */

/**
 * The first frame.
 *
 * @typedef {{
 *   device: DeviceId,
 *   locale?: string | null,
 *   resume?: Record<string, ClientPosition>,
 *   token: Secret,
 *   traceparent?: string | null,
 * }} Hello
 */

/**
 * A short label: a tag, a topic, a closing outcome.
 *
 * @typedef {string} Label
 */

/**
 * Why a stream is left.
 *
 * @typedef {'no_right' | 'unfollowed' | 'too_many'} Left
 */

/**
 * A message.
 *
 * @typedef {{ body: Content, dialog: DialogId, owner_epoch?: OwnerEpoch | null, reply_to?: Seq | null }} Message
 */

/**
 * A running process, by its configured name.
 *
 * @typedef {string} NodeId
 */

/**
 * One life of a node, as text, as [`Node`] in commands: `id(at)epoch`.
 *
 * @typedef {string} NodeName
 */

/**
 * A note about a customer, counted per customer; the first has 1, none is used twice.
 *
 * @typedef {number} NoteId
 */

/**
 * A position in a partition; the first record has 0.
 *
 * @typedef {number} Offset
 */

/**
 * Opens a dialog.
 *
 * @typedef {{ channel: ChannelId, settings?: DialogSettings, topic?: Label | null }} Open
 */

/**
 * The rules for an operator.
 *
 * @typedef {{ capacity: number, name: string, queues: QueueId[] }} OperatorConfig
 */

/**
 * What an operator is ready for.
 *
 * @typedef {'available' | 'busy' | 'away'} OperatorStatus
 */

/**
 * What a command led to, for its author. Stored with the state, repeated word for word.
 *
 * @typedef {{ accepted: Accepted } | { rejected: Rejection }} Outcome
 */

/**
 * Counts the owners of a dialog; grows by one at each change of owner.
 *
 * @typedef {number} OwnerEpoch
 */

/**
 * About the first of the commands that are parked at a customer or desk.
 *
 * @typedef {'retry' | { give_up: { offset: Offset } }} ParkedCommand
 */

/**
 * Who speaks or acts.
 *
 * @typedef {{ customer: CustomerId } | { staff: StaffId } | 'bot' | 'system'} Participant
 */

/**
 * Where a dialog is in its life.
 *
 * @typedef {'bot' | 'waiting' | 'assigned' | 'on_hold' | 'wrap_up' | 'closed'} Phase
 */

/**
 * A place in a line, as a range: nothing in it is better than what happens if nobody else comes
 * before, and the operators go on as they did of late.
 *
 * @typedef {{ first: number, last: number, wait?: WaitRange | null }} PlaceInLine
 */

/**
 * A position in a stream: the last event that somebody has.
 *
 * @typedef {{ hash: ChainHash, seq: Seq }} Position
 */

/**
 * Whether an operator can be reached.
 *
 * @typedef {'online' | 'lost' | 'gone'} Presence
 */

/**
 * The rules of a queue.
 *
 * @typedef {{ assignment: Assignment, title: string }} QueueConfig
 */

/**
 * A queue of a desk.
 *
 * @typedef {string} QueueId
 */

/**
 * A queue together with the desk that serves it.
 *
 * @typedef {{ desk: DeskId, queue: QueueId }} QueueRef
 */

/**
 * Why a command was rejected. On the wire: `{"code": …, …}`; a retired code is never used again.
 *
 * @typedef {{ code: 'not_found' }
 *   | { code: 'forbidden' }
 *   | { by: StaffId, code: 'already_owned' }
 *   | { by?: StaffId | null, code: 'not_owner' }
 *   | { code: 'stale_epoch', current: OwnerEpoch }
 *   | { code: 'stale', head: Seq }
 *   | { code: 'closed' }
 *   | { code: 'wrong_phase', phase: Phase }
 *   | { code: 'too_late' }
 *   | { code: 'unknown_message' }
 *   | { code: 'not_yours' }
 *   | { code: 'deleted' }
 *   | { code: 'already_rated' }
 *   | { code: 'already_done' }
 *   | { code: 'too_many', limit: number }
 *   | { code: 'too_long', limit: number }
 *   | { code: 'out_of_range', max: number, min: number }
 *   | { code: 'unknown_queue' }
 *   | { code: 'unknown_operator' }
 *   | { code: 'other_queue' }
 *   | { code: 'away' }
 *   | { capacity: number, code: 'full' }
 *   | { code: 'not_waiting' }
 *   | { code: 'void' }
 *   | { code: 'id_conflict' }
 *   | { code: 'unreadable' }} Rejection
 */

/**
 * What the author of a command hears.
 *
 * @typedef {{ outcome: Outcome } | { expected: { n: number } } | 'settled' | 'forgotten'} Reply
 */

/**
 * Why a stream starts again.
 *
 * @typedef {'start' | 'mismatch' | 'behind'} ResetWhy
 */

/**
 * A text that never shows in logs.
 *
 * @typedef {string} Secret
 */

/**
 * A position in a stream; the first event has 1, 0 is "before the first".
 *
 * @typedef {number} Seq
 */

/**
 * A frame of the server: one JSON object with one key, its kind.
 *
 * @typedef {{ welcome: Welcome }
 *   | { reset: StreamReset }
 *   | { range: { after: Position, events: StreamEvent[], stream: StreamName, upto: Position } }
 *   | { cursors: { cursors: CursorMove[], dialog: DialogId } }
 *   | { typing: { dialog: DialogId, participant: Participant } }
 *   | { presence: { dialog: DialogId, presence: CustomerPresence } }
 *   | { place: { dialog: DialogId, place: PlaceInLine } }
 *   | { left: { reason: Left, stream: StreamName } }
 *   | { durable: { n: number, target: Target } }
 *   | { reply: { n: number, reply: Reply, target: Target } }
 *   | { error: Wrong }
 *   | { ping: {} }
 *   | { pong: { now: Timestamp } }
 *   | { expiring: { at: Timestamp } }
 *   | { reconnect: { after_ms: number } }
 *   | { closed: { code: number, text: string } }} ServerFrame
 */

/**
 * A session on a node; unique within the node's epoch.
 *
 * @typedef {number} SessionId
 */

/**
 * An operator or a supervisor.
 *
 * @typedef {string} StaffId
 */

/**
 * What somebody of the bank is at their desk. What each may see and do is in the table of rights.
 *
 * @typedef {'operator' | 'supervisor' | 'chief_specialist' | 'auditor'} StaffRole
 */

/**
 * An event at its place in a stream.
 *
 * @typedef {{ at: Timestamp, event: Event, hash: ChainHash, seq: Seq, visibility: Visibility }} StreamEvent
 */

/**
 * A stream's name: `dialog/NUMBER`, `customer/ID` or `board/ID`.
 *
 * @typedef {string} StreamName
 */

/**
 * A stream starts (again) after a position.
 *
 * @typedef {{
 *   board?: BoardState | null,
 *   dialog?: DialogBrief | null,
 *   position: Position,
 *   reason: ResetWhy,
 *   stream: StreamName,
 * }} StreamReset
 */

/**
 * What a command is written to: the unit of order, dedupe and parking.
 *
 * @typedef {{ customer: CustomerId } | { desk: DeskId }} Target
 */

/**
 * Milliseconds since 1970-01-01 UTC.
 *
 * @typedef {number} Timestamp
 */

/**
 * To whom a dialog is passed on.
 *
 * @typedef {{ operator: { desk: DeskId, operator: StaffId, queue?: QueueId | null } } | { queue: QueueRef }} TransferTo
 */

/**
 * Who may see an event.
 *
 * @typedef {'everyone' | 'staff'} Visibility
 */

/**
 * A dialog that waits.
 *
 * @typedef {{
 *   channel: ChannelId,
 *   customer: CustomerId,
 *   dialog: DialogId,
 *   epoch: OwnerEpoch,
 *   lost?: boolean,
 *   priority: number,
 *   queue: QueueId,
 *   since: Timestamp,
 * }} Wait
 */

/**
 * How long a wait usually takes, in whole minutes rounded outwards.
 *
 * @typedef {{ from_min: number, to_min: number }} WaitRange
 */

/**
 * Who you are here, and how this connection is kept.
 *
 * @typedef {{
 *   desk?: DeskId | null,
 *   expires_at: Timestamp,
 *   heartbeat_ms: number,
 *   name: string,
 *   node: NodeId,
 *   now: Timestamp,
 *   role?: StaffRole | null,
 *   session: SessionId,
 *   stream_key?: string | null,
 *   who: Participant,
 *   window: number,
 * }} Welcome
 */

/**
 * Something was not taken; nothing of it was done.
 *
 * @typedef {{
 *   code: ErrorCode,
 *   n?: number | null,
 *   retry_after_ms?: number | null,
 *   stream?: StreamName | null,
 *   target?: Target | null,
 *   text: string,
 * }} Wrong
 */

export {};
