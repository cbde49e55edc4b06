// Development only: a stand-in for the server. node dev/fake.cjs PORT
const http = require('node:http'); const fs = require('node:fs'); const path = require('node:path');
let WS; try { WS = require('playwright-core/lib/utilsBundle').wsServer; } catch (e) { console.error(e.message); }
const WEB = path.join(__dirname, '../../chatcore-server/web');
const people = [
  ['Anna', 'customer', { customer: 'anna' }], ['Boris', 'customer', { customer: 'boris' }],
  ['Olga', 'operator', { staff: 'olga' }], ['Pavel', 'operator', { staff: 'pavel' }], ['Sofia', 'supervisor', { staff: 'sofia' }],
].map(([name, role, who]) => ({ name, role, who, token: `t-${name}` }));
const streams = new Map(); const dialogs = new Map(); const grants = new Map(); const waiting = new Map(); const operators = new Map();
const sessions = new Set(); let nextDialog = 5980, nextGrant = 1; const counters = new Map();
const config = { queues: { general: { title: 'General', assignment: 'manual' }, cards: { title: 'Cards', assignment: 'manual' } }, operators: { olga: { name: 'Olga', capacity: 3, queues: ['general', 'cards'] }, pavel: { name: 'Pavel', capacity: 3, queues: ['general', 'cards'] }, sofia: { name: 'Sofia', capacity: 5, queues: ['general', 'cards'] } }, grace_ms: 0, grant_resend_ms: 0, reconcile_ms: 0 };
const pos = (name) => { const s = streams.get(name) || []; return { seq: s.length, hash: s.length ? s[s.length - 1].hash : '0'.repeat(16) }; };
const staffish = (who) => typeof who === 'object' && 'staff' in who;
function append(name, event, visibility = 'everyone') {
  const s = streams.get(name) || []; streams.set(name, s); const after = pos(name);
  const e = { seq: s.length + 1, hash: Math.random().toString(16).slice(2).padEnd(16, '0').slice(0, 16), at: Date.now(), visibility, event }; s.push(e);
  for (const x of sessions) if (x.follows.has(name)) x.say({ range: { stream: name, after, upto: pos(name), events: visibility === 'staff' && !staffish(x.who) ? [] : [e] } });
  return e.seq;
}
const D = (id, event, vis) => append(`dialog/${id}`, { dialog: event }, vis);
const B = (event) => append('board/main', { board: event });
const head = (d) => ({ customer: d.customer, phase: d.phase, owner: d.owner, epoch: d.epoch, queue: d.queue, desk: 'main' });
const boardState = () => ({ config, waiting: [...waiting.values()], operators: [...operators.values()], grants: [...grants.values()] });
function follow(x, name) {
  x.follows.add(name); const id = Number(name.split('/')[1]);
  x.say({ reset: { stream: name, position: pos(name), reason: 'start', board: name.startsWith('board') ? boardState() : null, dialog: name.startsWith('dialog') && dialogs.has(id) ? head(dialogs.get(id)) : null } });
  if (name.startsWith('dialog')) x.say({ cursors: { dialog: id, cursors: [...dialogs.get(id).cursors.values()] } });
}
function open(customer, by, channel = 'web') {
  const id = ++nextDialog; const d = { id, customer, phase: 'bot', owner: null, epoch: 0, queue: 'general', cursors: new Map(), channel, at: Date.now(), closedBy: null }; dialogs.set(id, d);
  D(id, { opened: { customer, channel, by, topic: null } });
  for (const x of sessions) if (x.who.customer === customer) follow(x, `dialog/${id}`);
  append(`customer/${customer}`, { customer: { dialog_opened: { dialog: id } } });
  return d;
}
function wait(d, reason, by, queue) { const g = [...grants.values()].find((g) => g.dialog === d.id); if (g) { grants.delete(g.grant); B({ freed: { grant: g.grant, dialog: d.id } }); }
  d.phase = 'waiting'; d.owner = null; d.epoch += 1; d.queue = queue || d.queue; d.since = d.since && reason === 'returned' ? d.since : Date.now();
  D(d.id, { waiting: { queue: { desk: 'main', queue: d.queue }, reason, by, since: d.since, epoch: d.epoch } });
  const w = { wait: { dialog: d.id, customer: d.customer, queue: d.queue, channel: d.channel, priority: 0, since: d.since, epoch: d.epoch }, boost: 0, by_hand: false }; waiting.set(d.id, w); B({ waiting: w }); }
function assign(d, operator, by) { const from = d.owner; const old = [...grants.values()].find((g) => g.dialog === d.id); if (old) { grants.delete(old.grant); B({ freed: { grant: old.grant, dialog: d.id } }); }
  const grant = nextGrant++; waiting.delete(d.id); B({ granted: { grant, dialog: d.id, what: {}, customer: d.customer, operator, by, reason: {} } });
  d.phase = 'assigned'; d.owner = operator; d.epoch += 1; D(d.id, { assigned: { operator, queue: { desk: 'main', queue: d.queue }, epoch: d.epoch, desk: 'main', grant, from } });
  grants.set(grant, { grant, dialog: d.id, customer: d.customer, operator, epoch: d.epoch }); B({ held: { grant, dialog: d.id, epoch: d.epoch } });
  for (const x of sessions) if (x.who.staff === operator && !x.follows.has(`dialog/${d.id}`)) follow(x, `dialog/${d.id}`); }
function bot(d, text) { setTimeout(() => { if (d.phase !== 'bot') return;
  if (/person|человек/i.test(text)) return wait(d, 'asked', 'bot');
  D(d.id, { message: { author: 'bot', body: /card|карт/i.test(text) ? { card: { title: 'Card •• 4821', fields: [{ label: 'Status', value: 'Active' }, { label: 'Limit', value: '100 000 ₽' }], buttons: [{ id: 'block', label: 'Block it' }] } } : { buttons: { text: 'Hello! I am the assistant. What is it about?', buttons: [{ id: 'cards', label: 'Cards' }, { id: 'loans', label: 'Loans' }, { id: 'person', label: 'A person, please' }] } }, reply_to: null } }); }, 150); }
const rej = (code, more = {}) => ({ rejected: { code, ...more } });
function run(who, target, command) {
  if (command.desk) { const [name, f] = Object.entries(command.desk)[0];
    if (name === 'status') { const o = { operator: f.operator, presence: 'online', status: f.status, since: Date.now(), nodes: [] }; operators.set(f.operator, o); return { accepted: { dialog: null, seq: B({ operator: o }) } }; }
    if (name === 'begin') { const d = open(f.customer, who, f.channel); assign(d, who.staff, who); return { accepted: { dialog: d.id, seq: 1 } }; }
    const d = dialogs.get(f.dialog); if (!d) return rej('not_found');
    if (name === 'take') { if (d.owner) return rej('already_owned', { by: d.owner }); if (d.phase !== 'waiting') return rej('not_waiting'); assign(d, who.staff, who); return { accepted: { dialog: d.id, seq: 1 } }; }
    if (name === 'assign') { assign(d, f.operator, who); return { accepted: { dialog: d.id, seq: 1 } }; } }
  const [name, f] = Object.entries(command.customer)[0];
  if (name === 'open') { const had = [...dialogs.values()].find((d) => d.customer === who.customer && d.phase !== 'closed'); const d = had || open(who.customer, who); return { accepted: { dialog: d.id, seq: 1 } }; }
  const d = dialogs.get(f.dialog); if (!d) return rej('not_found'); const ok = (seq) => ({ accepted: { dialog: d.id, seq } });
  if (staffish(who) && 'owner_epoch' in f && f.owner_epoch !== d.epoch) return rej(d.owner ? 'not_owner' : 'stale_epoch', d.owner ? { by: d.owner } : { current: d.epoch });
  switch (name) {
    case 'message': if (d.phase === 'closed') return rej('closed'); { if (d.phase === 'wrap_up' && !staffish(who)) { d.phase = 'assigned'; D(d.id, 'resumed'); } const seq = D(d.id, { message: { author: who, body: f.body, reply_to: f.reply_to } }); if (!staffish(who)) bot(d, f.body.text || f.body.pressed?.label || ''); return ok(seq); }
    case 'edit': return ok(D(d.id, { edited: { message: f.message, body: f.body } }));
    case 'delete': return ok(D(d.id, { deleted: { message: f.message, by: who } }));
    case 'ask_person': wait(d, 'asked', who); return ok(1);
    case 'note': return ok(D(d.id, { note: { author: who, body: f.body } }, 'staff'));
    case 'set_tags': return ok(D(d.id, { tagged: { tags: f.tags, by: who } }, 'staff'));
    case 'set_topic': return ok(D(d.id, { topic_set: { topic: f.topic, by: who } }, 'staff'));
    case 'hold': d.phase = 'on_hold'; return ok(D(d.id, 'held'));
    case 'resume': d.phase = 'assigned'; return ok(D(d.id, 'resumed'));
    case 'wrap_up': d.phase = 'wrap_up'; return ok(D(d.id, 'wrap_up'));
    case 'return_to_queue': wait(d, 'returned', who); return ok(1);
    case 'transfer': if (f.note) D(d.id, { note: { author: who, body: f.note } }, 'staff'); if (f.to.queue) wait(d, 'transferred', who, f.to.queue.queue); else { wait(d, 'transferred', who); assign(d, f.to.operator.operator, who); } return ok(1);
    case 'close': { const g = [...grants.values()].find((g) => g.dialog === d.id); if (g) { grants.delete(g.grant); B({ freed: { grant: g.grant, dialog: d.id } }); } if (waiting.delete(d.id)) B({ left: { dialog: d.id } }); d.closedBy = d.owner; d.phase = 'closed'; d.owner = null; d.epoch += 1; return ok(D(d.id, { closed: { by: who, outcome: f.outcome, epoch: d.epoch } })); }
    case 'reopen': if (d.phase === 'wrap_up') { d.phase = 'assigned'; return ok(D(d.id, 'resumed')); } d.epoch += 1; D(d.id, { reopened: { by: who, epoch: d.epoch } }); wait(d, 'reopened', who); return ok(1);
    case 'rate': return ok(D(d.id, { rated: { score: f.score, comment: f.comment } }));
  } return rej('unreadable');
}
function session(x, frame) {
  if (frame.hello) { const p = people.find((p) => p.token === frame.hello.token); if (!p) return x.end(4501); x.who = p.who; x.device = frame.hello.device; sessions.add(x);
    x.say({ welcome: { session: 1, node: 'n1', who: p.who, name: p.name, supervisor: p.role === 'supervisor', desk: staffish(p.who) ? 'main' : null, now: Date.now(), expires_at: Date.now() + 3.6e6, heartbeat_ms: 25000, window: 64, stream_key: x.key } });
    const names = staffish(p.who) ? ['board/main', ...[...dialogs.values()].filter((d) => d.owner === p.who.staff).map((d) => `dialog/${d.id}`)] : [`customer/${p.who.customer}`, ...[...dialogs.values()].filter((d) => d.customer === p.who.customer && d.phase !== 'closed').map((d) => `dialog/${d.id}`)];
    if (staffish(p.who) && !operators.has(p.who.staff)) { const o = { operator: p.who.staff, presence: 'online', status: 'away', since: Date.now(), nodes: [] }; operators.set(p.who.staff, o); B({ operator: o }); }
    for (const name of new Set([...names, ...Object.keys(frame.hello.resume || {})])) { const r = frame.hello.resume?.[name]; const s = streams.get(name) || [];
      if (r && (r.seq === 0 || s[r.seq - 1]?.hash === r.hash)) { x.follows.add(name); const ev = s.slice(r.seq).filter((e) => e.visibility !== 'staff' || staffish(x.who)); x.say({ range: { stream: name, after: r, upto: pos(name), events: ev } }); } else follow(x, name); }
    return; }
  if (frame.ping) return x.say({ pong: { now: Date.now() } });
  if (frame.follow) return follow(x, frame.follow.stream);
  if (frame.unfollow) return x.follows.delete(frame.unfollow.stream);
  if (frame.typing) { for (const y of sessions) if (y !== x && y.follows.has(`dialog/${frame.typing.dialog}`)) y.say({ typing: { dialog: frame.typing.dialog, participant: x.who } }); return; }
  if (frame.cursor) { const d = dialogs.get(frame.cursor.dialog); const k = JSON.stringify(x.who); const had = d.cursors.get(k) || { delivered: 0, read: 0 }; const c = { dialog: d.id, participant: x.who, delivered: Math.max(had.delivered, frame.cursor.delivered), read: Math.max(had.read, frame.cursor.read) }; d.cursors.set(k, c); for (const y of sessions) if (y.follows.has(`dialog/${d.id}`)) y.say({ cursors: { dialog: d.id, cursors: [c] } }); return; }
  if (frame.send) { const { target, n, command } = frame.send; const key = JSON.stringify([x.who, x.device, target]); const c = counters.get(key) || { next: 1, outcomes: new Map() }; counters.set(key, c);
    x.say({ durable: { target, n } });
    if (n > c.next) return x.say({ reply: { target, n, reply: { expected: { n: c.next } } } });
    if (n === c.next) { c.outcomes.set(n, run(x.who, target, command)); c.next += 1; }
    x.say({ reply: { target, n, reply: c.outcomes.has(n) ? { outcome: c.outcomes.get(n) } : 'settled' } }); }
}
const server = http.createServer((req, res) => {
  const url = new URL(req.url, 'http://x'); const json = (v, s = 200) => { res.writeHead(s, { 'content-type': 'application/json' }); res.end(JSON.stringify(v)); };
  const p = people.find((p) => req.headers.authorization === `Bearer ${p.token}`);
  if (url.pathname === '/api/demo/people') return json({ people });
  let m;
  if ((m = url.pathname.match(/^\/api\/dialogs\/(\d+)\/events$/))) { const before = Number(url.searchParams.get('before') || 1e9); const limit = Number(url.searchParams.get('limit') || 50); const s = streams.get(`dialog/${m[1]}`) || []; const upto = s.filter((e) => e.seq < before); const page = upto.slice(-limit); const first = page[0]?.seq ?? 1; return json({ events: page.filter((e) => e.visibility !== 'staff' || staffish(p?.who)), after: { seq: first - 1, hash: '' }, upto: { seq: before - 1, hash: '' } }); }
  const row = (d) => ({ dialog: d.id, customer: d.customer, at: d.at, phase: d.phase, topic: null, outcome: null, score: null });
  if ((m = url.pathname.match(/^\/api\/customers\/([^/]+)\/dialogs$/))) return json({ dialogs: [...dialogs.values()].filter((d) => d.customer === m[1]).sort((a, b) => b.id - a.id).slice(0, Number(url.searchParams.get('limit') || 50)).map(row), next: null });
  if (url.pathname === '/api/closed') return json({ dialogs: [...dialogs.values()].filter((d) => d.closedBy === p?.who?.staff && d.phase === 'closed').map(row), next: null });
  let file = path.join(WEB, url.pathname === '/' ? 'index.html' : url.pathname); if (!fs.existsSync(file)) return json({ error: { code: 'not_found', text: '' } }, 404);
  const types = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };
  res.writeHead(200, { 'content-type': types[path.extname(file)] || 'application/octet-stream', 'content-security-policy': "default-src 'self'", 'cache-control': 'no-store' }); res.end(fs.readFileSync(file));
});
const wss = new WS({ server, path: '/ws', handleProtocols: () => 'chatcore.v1' });
wss.on('connection', (ws) => { const x = { follows: new Set(), who: {}, say: (f) => ws.send(JSON.stringify(f)), end: (c) => ws.close(c) }; ws.on('message', (d) => session(x, JSON.parse(d))); ws.on('close', () => sessions.delete(x)); });
server.listen(Number(process.argv[2] || 0), '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${server.address().port}`));
