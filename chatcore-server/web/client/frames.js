// The protocol's types, as docs/spec/protocol.md has them. Nothing here runs.

/**
 * @typedef {{ customer: string } | { staff: string } | 'bot' | 'system'} Participant
 * @typedef {{ customer: string } | { desk: string }} Target
 * @typedef {{ desk: string, queue: string }} QueueRef
 * @typedef {{ seq: number, hash: string }} Position
 * @typedef {'bot' | 'waiting' | 'assigned' | 'on_hold' | 'wrap_up' | 'closed'} Phase
 * @typedef {'available' | 'busy' | 'away'} OperatorStatus
 * @typedef {'online' | 'lost' | 'gone'} Presence
 * @typedef {'anonymous' | 'known' | 'authenticated' | 'stepped_up'} Assurance
 * @typedef {'here' | { away: { since: number | null } }} CustomerPresence
 * @typedef {{ first: number, last: number, wait: { from_min: number, to_min: number } | null }} PlaceInLine
 * @typedef {{ id: string, label: string }} Button
 */

/**
 * What a message says.
 *
 * @typedef {{ text: string }
 *   | { buttons: { text: string, buttons: Button[] } }
 *   | { quick_replies: { text: string, replies: Button[] } }
 *   | { pressed: Button }
 *   | { attachment: { reference: string, name: string, media_type: string, bytes: number } }
 *   | { card: { title: string, fields: { label: string, value: string }[], buttons: Button[] } }} Body
 */

/**
 * @typedef {{ dialog: number, owner_epoch: number }} Owned
 * @typedef {{ operator: { desk: string, operator: string, queue?: string | null } } | { queue: QueueRef }} TransferTo
 */

/**
 * @typedef {{ open: { channel: string, topic: string | null } }
 *   | { message: { dialog: number, body: Body, reply_to: number | null, owner_epoch: number | null } }
 *   | { edit: { dialog: number, message: number, body: Body, owner_epoch: number | null } }
 *   | { delete: { dialog: number, message: number, owner_epoch: number | null } }
 *   | { ask_person: { dialog: number, queue: QueueRef | null } }
 *   | { transfer: { dialog: number, owner_epoch: number, to: TransferTo, note: Body | null } }
 *   | { return_to_queue: Owned } | { hold: Owned } | { resume: Owned } | { wrap_up: Owned }
 *   | { note: { dialog: number, body: Body } }
 *   | { set_tags: { dialog: number, tags: string[] } }
 *   | { set_topic: { dialog: number, topic: string | null } }
 *   | { close: { dialog: number, owner_epoch: number | null, outcome: string } }
 *   | { reopen: { dialog: number } }
 *   | { rate: { dialog: number, score: number, comment: Body | null } }} CustomerCommand
 * @typedef {{ take: { dialog: number } }
 *   | { assign: { dialog: number, operator: string, over_capacity: boolean } }
 *   | { begin: { customer: string, channel: string, queue: string } }
 *   | { status: { operator: string, status: OperatorStatus } }} DeskCommand
 * @typedef {{ customer: CustomerCommand } | { desk: DeskCommand }} Command
 */

/**
 * What a command led to. `accepted.dialog` is null when it was no dialog's.
 *
 * @typedef {{ accepted: { dialog: number | null, seq: number } }
 *   | { rejected: { code: string, [more: string]: unknown } }} Outcome
 * @typedef {{ outcome: Outcome } | { expected: { n: number } } | 'settled' | 'forgotten'} Reply
 */

/**
 * @typedef {{ opened: { customer: string, channel: string, by: Participant, topic: string | null, assurance?: Assurance | null } }
 *   | { ruled: { settings: object } }
 *   | { message: { author: Participant, body: Body, reply_to: number | null, assurance?: Assurance | null } }
 *   | { edited: { message: number, body: Body, assurance?: Assurance | null } }
 *   | { deleted: { message: number, by: Participant } }
 *   | { waiting: { queue: QueueRef, reason: string, by: Participant, since: number, epoch: number } }
 *   | { assigned: { operator: string, queue: QueueRef, epoch: number, desk: string, grant: number, from: string | null } }
 *   | 'held' | 'resumed' | 'wrap_up'
 *   | { note: { author: Participant, body: Body } }
 *   | { tagged: { tags: string[], by: Participant } }
 *   | { topic_set: { topic: string | null, by: Participant } }
 *   | { closed: { by: Participant, outcome: string, epoch: number } }
 *   | { reopened: { by: Participant, epoch: number } }
 *   | { rated: { score: number, comment: Body | null } }
 *   | { system: { body: Body } }
 *   | { emergency: { incident: string, body: Body } }
 *   | { undelivered: { message: number, reason: string } }} DialogEvent
 * @typedef {{ dialog_opened: { dialog: number } } | { dialog_closed: { dialog: number } }
 *   | { dialog_reopened: { dialog: number } } | { dialog_settled: { dialog: number } }
 *   | { linked: { other: string } }} CustomerEvent
 */

/**
 * @typedef {{ dialog: number, customer: string, queue: string, channel: string, priority: number, since: number, epoch: number, lost?: boolean }} Wait
 * @typedef {{ title: string, assignment: unknown }} QueueConfig
 * @typedef {{ name: string, capacity: number, queues: string[] }} OperatorConfig
 * @typedef {{ queues: Record<string, QueueConfig>, operators: Record<string, OperatorConfig> }} DeskConfig
 * @typedef {{ configured: DeskConfig }
 *   | { waiting: { wait: Wait, boost: number, by_hand?: boolean } }
 *   | { left: { dialog: number } }
 *   | { operator: { operator: string, presence: Presence, status: OperatorStatus, since: number } }
 *   | { granted: { grant: number, dialog: number | null, customer: string, operator: string, by: Participant } }
 *   | { held: { grant: number, dialog: number, epoch: number } }
 *   | { refused: { grant: number, code: string } }
 *   | { freed: { grant: number, dialog: number } }
 *   | { silence: { from: number, to: number } }
 *   | { repaired: { grant: number } }} BoardEvent
 * @typedef {{
 *   config: DeskConfig,
 *   waiting: { wait: Wait, boost: number, by_hand?: boolean }[],
 *   operators: { operator: string, presence: Presence, status: OperatorStatus, since: number }[],
 *   grants: { grant: number, dialog: number | null, customer: string, operator: string, epoch: number | null }[],
 * }} BoardState
 */

/**
 * @typedef {{ dialog: DialogEvent } | { customer: CustomerEvent } | { board: BoardEvent }} Event
 * @typedef {{ seq: number, hash: string, at: number, visibility: 'everyone' | 'staff', event: Event }} StreamEvent
 * @typedef {{ dialog: number, participant: Participant, delivered: number, read: number }} Cursor
 * @typedef {{
 *   customer: string, channel?: string | null, phase: Phase, owner: string | null, epoch: number,
 *   queue: QueueRef | null, desk: string | null, since?: number | null, topic?: string | null,
 *   tags?: string[], rating?: number | null, assurance?: Assurance | null,
 * }} DialogHead
 */

/**
 * @typedef {{ session: number, node: string, who: Participant, name: string, supervisor: boolean, desk: string | null, now: number, expires_at: number, heartbeat_ms: number, window: number, stream_key?: string }} Welcome
 * @typedef {{ stream: string, position: Position, reason: 'start' | 'mismatch' | 'behind', board?: BoardState | null, dialog?: DialogHead | null }} Reset
 * @typedef {{ stream: string, after: Position, upto: Position, events: StreamEvent[] }} Range
 * @typedef {{ code: string, text: string, target?: Target | null, n?: number | null, retry_after_ms?: number | null }} ErrorFrame
 * @typedef {{ target: Target, n: number, reply: Reply }} ReplyFrame
 */

/**
 * One frame from the server: exactly one of these is there.
 *
 * @typedef {{
 *   welcome?: Welcome, reset?: Reset, range?: Range,
 *   cursors?: { dialog: number, cursors: Cursor[] },
 *   typing?: { dialog: number, participant: Participant },
 *   presence?: { dialog: number, presence: CustomerPresence },
 *   place?: { dialog: number, place: PlaceInLine },
 *   left?: { stream: string, reason: string },
 *   durable?: { target: Target, n: number }, reply?: ReplyFrame, error?: ErrorFrame,
 *   ping?: object, pong?: { now: number },
 *   expiring?: { at: number }, reconnect?: { after_ms: number }, closed?: { code: number, text: string },
 * }} ServerFrame
 */

export {};
