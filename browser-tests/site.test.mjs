// The widget inside a site of another origin, under a strict policy of that site.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import test from 'node:test';
import { launch } from './launch.mjs';
import { startServer } from './server.mjs';

/** A site that has the widget, and a back end that knows who is signed in. @param {() => string} chat the chat's address @returns {Promise<{ url: string, end: () => void }>} */
async function site(chat) {
  const server = createServer(async (request, response) => {
    if (request.url === '/chat-token') {
      const people = await (await fetch(`${chat()}/api/demo/people`)).json();
      const anna = people.people.find((/** @type {any} */ person) => person.who.customer === 'anna');
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ token: anna.token }));
      return;
    }
    const policy = [
      "default-src 'none'",
      `script-src ${chat()}`,
      `style-src ${chat()}`,
      `connect-src 'self' ${chat()} ${chat().replace('http', 'ws')}`,
    ];
    response.setHeader('content-security-policy', policy.join('; '));
    response.setHeader('content-type', 'text/html');
    response.end(`<!doctype html><title>Site</title>
      <script type="module" src="${chat()}/widget/chatcore-widget.js"></script>
      <chatcore-widget token-url="/chat-token" lang="en" heading="Elsewhere"></chatcore-widget>`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = /** @type {import('node:net').AddressInfo} */ (server.address());
  return {
    url: `http://127.0.0.1:${address.port}`,
    end: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

test('the widget works on a site of another origin, tells it what happens, and sets no cookie', async () => {
  let chat = '';
  const host = await site(() => chat);
  const server = await startServer(['--origins', host.url]);
  const { context, close } = await launch({ viewport: { width: 1000, height: 760 } });
  try {
    chat = server.url;
    const page = await context.newPage();
    /** @type {string[]} */
    const complaints = [];
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('console', (message) => message.type() === 'error' && !/favicon/u.test(message.location().url) && complaints.push(message.text()));
    await page.goto(host.url);
    await page.evaluate(() => {
      const heard = Object.assign(globalThis, { heard: /** @type {string[]} */ ([]) }).heard;
      for (const name of ['chatcore-open', 'chatcore-close', 'chatcore-dialog', 'chatcore-unread']) {
        document.addEventListener(name, () => heard.push(name));
      }
    });
    const widget = page.locator('chatcore-widget');
    await widget.locator('.opener').click();
    await widget.locator('.field:not(.sizer)').fill('from another site');
    await widget.locator('.field:not(.sizer)').press('Enter');
    await widget.locator('.from-bot').first().waitFor();
    await widget.locator('.sending').waitFor({ state: 'detached' });
    await page.keyboard.press('Escape');
    await widget.locator('.panel').waitFor({ state: 'hidden' });
    const heard = await page.evaluate(() => /** @type {any} */ (globalThis).heard);
    for (const name of ['chatcore-open', 'chatcore-close', 'chatcore-dialog']) {
      assert.ok(heard.includes(name), `${name} in ${heard}`);
    }
    assert.deepEqual(await context.cookies(), []);
    assert.deepEqual(complaints, []);
  } finally {
    await close();
    await server.end();
    host.end();
  }
});
