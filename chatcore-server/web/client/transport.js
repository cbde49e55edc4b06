// What carries frames: a WebSocket, or a streaming fetch with POSTs beside it.

/** @import { ClientFrame, Hello, ServerFrame } from './frames.js' */

/**
 * @typedef {{ opened: () => void, frame: (frame: ServerFrame) => void, closed: (code: number, text: string) => void }} Handlers
 * @typedef {{ send: (frame: ClientFrame) => void, close: () => void }} Transport
 * @typedef {(base: string, hello: Hello, handlers: Handlers) => Transport} Open
 */

const NO_CODE = 1006;

/** @type {Open} */
export function openWebSocket(base, hello, handlers) {
  const url = new URL('/ws', base);
  url.protocol = url.protocol.replace('http', 'ws');
  const socket = new WebSocket(url, 'chatcore.v1');
  let over = false;
  /** @param {number} code @param {string} text */
  const end = (code, text) => {
    if (!over) {
      over = true;
      handlers.closed(code, text);
    }
  };
  socket.onopen = () => {
    handlers.opened();
    socket.send(JSON.stringify({ hello }));
  };
  socket.onmessage = ({ data }) => {
    const frame = over ? null : parse(data);
    if (frame) {
      handlers.frame(frame);
    }
  };
  socket.onclose = ({ code, reason }) => end(code, reason);
  return {
    send: (frame) => {
      if (socket.readyState === WebSocket.OPEN) {
        socket.send(JSON.stringify(frame));
      }
    },
    close: () => {
      socket.close(1000);
      // The closing handshake may never end on a dead path; for us it is over now.
      end(NO_CODE, 'closed here');
    },
  };
}

/** @type {Open} */
export function openFetch(base, hello, handlers) {
  const abort = new AbortController();
  /** @type {ClientFrame[]} */
  let queue = [];
  let key = '';
  let busy = false;
  let over = false;

  /** @param {number} code @param {string} text */
  const end = (code, text) => {
    if (!over) {
      over = true;
      abort.abort();
      handlers.closed(code, text);
    }
  };
  /** @param {string} path @param {string} body */
  const post = (path, body) =>
    fetch(new URL(path, base), {
      method: 'POST',
      body,
      signal: abort.signal,
      cache: 'no-store',
      headers: { 'content-type': 'application/x-ndjson', authorization: `Bearer ${hello.token}` },
    });
  /** @param {ServerFrame} frame */
  const take = (frame) => {
    if ('closed' in frame) {
      end(frame.closed.code, frame.closed.text);
      return;
    }
    key = ('welcome' in frame ? frame.welcome.stream_key : null) ?? key;
    handlers.frame(frame);
  };
  // One POST at a time, or frames could overtake each other.
  const flush = async () => {
    if (busy || over || !key || queue.length === 0) {
      return;
    }
    busy = true;
    const lines = queue.map((frame) => JSON.stringify(frame)).join('\n');
    queue = [];
    try {
      const answer = await post(`/api/stream/${encodeURIComponent(key)}`, `${lines}\n`);
      if (!answer.ok) {
        throw new Error(`status ${answer.status}`);
      }
    } catch (error) {
      end(NO_CODE, String(error));
    }
    busy = false;
    await flush();
  };
  const run = async () => {
    try {
      const answer = await post('/api/stream', `${JSON.stringify({ hello })}\n`);
      if (!answer.ok || !answer.body) {
        end(await closeCode(answer), `status ${answer.status}`);
        return;
      }
      handlers.opened();
      for await (const line of lines(answer.body)) {
        const frame = parse(line);
        if (frame && !over) {
          take(frame);
          flush();
        }
      }
      end(NO_CODE, 'the stream ended');
    } catch (error) {
      end(NO_CODE, String(error));
    }
  };
  run();
  return {
    send: (frame) => {
      queue.push(frame);
      flush();
    },
    close: () => end(NO_CODE, 'closed here'),
  };
}

/** @param {Response} answer what a refused stream stands for: 401 means that the token is not valid */
async function closeCode(answer) {
  const body = await answer.json().catch(() => null);
  if (typeof body?.closed?.code === 'number') {
    return body.closed.code;
  }
  return answer.status === 401 ? 4501 : NO_CODE;
}

/** @param {ReadableStream<Uint8Array>} body */
async function* lines(body) {
  const reader = body.pipeThrough(/** @type {any} */ (new TextDecoderStream())).getReader();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    const parts = (rest + (value ?? '')).split('\n');
    rest = done ? '' : (parts.pop() ?? '');
    yield* parts.filter((line) => line.trim() !== '');
    if (done) {
      return;
    }
  }
}

/** @param {unknown} text @returns {ServerFrame | null} null for what is not a frame of ours */
function parse(text) {
  try {
    const frame = JSON.parse(String(text));
    return typeof frame === 'object' ? frame : null;
  } catch {
    return null;
  }
}
