// Stand-ins for clock, transport and claims, for the unit tests.

import { ChatClient } from './chatcore-client.js';
import { Device } from './device.js';
import { memoryStore } from './storage.js';

/** A clock that moves when told. */
export class FakeClock {
  time = 1_000_000;
  #timers = [];
  now = () => this.time;
  setTimeout = (run, ms) => {
    const timer = { run, at: this.time + ms };
    this.#timers.push(timer);
    return timer;
  };
  clearTimeout = (timer) => {
    this.#timers = this.#timers.filter((other) => other !== timer);
  };
  /** Fires what is due in the next `ms`, in order, and lets promises go on in between. */
  async advance(ms) {
    const end = this.time + ms;
    await settle();
    for (;;) {
      const due = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (!due) {
        break;
      }
      this.#timers = this.#timers.filter((other) => other !== due);
      this.time = Math.max(this.time, due.at);
      due.run();
      await settle();
    }
    this.time = end;
    await settle();
  }
}

/** Lets everything that waits on promises go on. */
export const settle = () => new Promise((resolve) => setImmediate(resolve));

/** Claims of all tabs of one browser. */
export function fakeClaims() {
  const held = new Set();
  return async (id) => {
    if (held.has(id)) {
      return null;
    }
    held.add(id);
    return () => held.delete(id);
  };
}

export const WELCOME = {
  session: 1,
  node: 'n1',
  who: { customer: 'anna' },
  name: 'Anna',
  role: 'operator',
  desk: null,
  now: 0,
  expires_at: 0,
  heartbeat_ms: 25_000,
  window: 64,
};

/** A server's end of each connection that the client opens. */
export class FakeServer {
  connections = [];
  open = (_base, hello, handlers) => {
    const connection = {
      hello,
      sent: [],
      over: false,
      say: (frame) => handlers.frame(frame),
      drop: (code = 1006) => {
        connection.over = true;
        handlers.closed(code, '');
      },
    };
    this.connections.push(connection);
    handlers.opened();
    return {
      send: (frame) => connection.over || connection.sent.push(frame),
      close: () => {
        connection.over = true;
      },
    };
  };
  get last() {
    return this.connections.at(-1);
  }
  welcome(more = {}) {
    this.last.say({ welcome: { ...WELCOME, ...more } });
  }
}

/** A client of one tab, and all that it stands on. */
export async function tab({ local = memoryStore(), session = memoryStore(), claims = fakeClaims(), ...more } = {}) {
  const server = new FakeServer();
  const clock = new FakeClock();
  const device = new Device(session, claims);
  const asked = [];
  const client = new ChatClient({
    base: 'http://chat.test',
    token: async (how) => {
      asked.push(how);
      return `token-${asked.length}`;
    },
    openers: [server.open],
    local,
    device,
    clock,
    random: () => 0.5,
    ...more,
  });
  client.start();
  await settle();
  return { client, server, clock, local, session, claims, device, asked };
}
