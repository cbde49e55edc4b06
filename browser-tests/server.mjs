// The real server for the pages' tests: its demo on a free port and a folder of its own, and a line
// to it that can be cut.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const START_MS = 20_000;

/** @typedef {{ url: string, kill: () => Promise<void>, start: () => Promise<void>, end: () => Promise<void> }} Server */

/** Starts the demo. `kill` is kill -9; `start` begins it again on the same port and folder. @param {string[]} [flags] more of them @returns {Promise<Server>} */
export async function startServer(flags = []) {
  const program = process.env.CHATCORE_SERVER_BIN;
  assert.ok(program, 'CHATCORE_SERVER_BIN says where the server is: `cargo xtask test` sets it');
  const folder = await mkdtemp(join(tmpdir(), 'chatcore-demo-'));
  /** @type {import('node:child_process').ChildProcess | null} */
  let child = null;
  let url = '';

  const start = async () => {
    const listen = url === '' ? '127.0.0.1:0' : new URL(url).host;
    const server = spawn(program, ['--demo', '--listen', listen, '--data', folder, '--log-level', 'warn', ...flags], {
      stdio: ['ignore', 'pipe', 'inherit'],
      // Nothing of this environment configures the server.
      env: Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('CHATCORE_'))),
    });
    child = server;
    url = await listening(server);
  };
  const kill = async () => {
    const server = child;
    child = null;
    if (server && server.exitCode === null && server.signalCode === null) {
      const gone = once(server, 'exit');
      server.kill('SIGKILL');
      await gone;
    }
  };
  const end = async () => {
    await kill();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    await start();
  } catch (error) {
    await end();
    throw error;
  }
  return { url, kill, start, end };
}

/** The address that the server says it listens on. @param {import('node:child_process').ChildProcess} server @returns {Promise<string>} */
function listening(server) {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error('the server did not say where it listens')), START_MS);
    server.once('error', reject);
    server.once('exit', (code) => {
      clearTimeout(late);
      reject(new Error(`the server ended with ${code}`));
    });
    const lines = createInterface({ input: /** @type {import('node:stream').Readable} */ (server.stdout) });
    lines.on('line', (line) => {
      const found = /listening on (http:\/\/\S+)/u.exec(line);
      if (found) {
        clearTimeout(late);
        resolve(found[1].replace(/\/$/u, ''));
      }
    });
  });
}

/** @typedef {{ url: string, cut: () => void, deafen: () => void, mend: () => void, end: () => Promise<void> }} Line */

/**
 * A way to the server that can be cut: open sockets die at once, new ones too, until it is mended.
 * A browser's own offline mode leaves open sockets alone. Deafened, it still carries what the page
 * says, and nothing back.
 *
 * @param {string} to
 * @returns {Promise<Line>}
 */
export async function line(to) {
  const { hostname, port } = new URL(to);
  /** @type {Set<import('node:net').Socket>} */
  const sockets = new Set();
  let whole = true;
  let deaf = false;
  const server = createServer((near) => {
    if (!whole) {
      near.resetAndDestroy();
      return;
    }
    const far = connect(Number(port), hostname);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    near.pipe(far);
    far.on('data', (bytes) => !deaf && near.write(bytes));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = /** @type {import('node:net').AddressInfo} */ (server.address());
  const cut = () => {
    whole = false;
    sockets.forEach((socket) => socket.resetAndDestroy());
  };
  return {
    url: `http://127.0.0.1:${address.port}`,
    cut,
    deafen: () => {
      deaf = true;
    },
    mend: () => {
      whole = true;
      deaf = false;
    },
    end: async () => {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}
