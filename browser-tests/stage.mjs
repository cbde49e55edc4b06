// The operator's workplace alone in a real browser: what it is told comes from the test.

/** @import { Page } from 'playwright-core' */

/**
 * Shows the workplace of Olga on a page. In the page, `stage.client` tells it what a server would,
 * with `emit`.
 *
 * @param {Page} page
 * @param {string} base a server that has the scripts
 */
export async function stageWorkplace(page, base) {
  await page.goto(base);
  await page.evaluate(async () => {
    const load = (/** @type {string} */ path) => import(path);
    const { Emitter } = await load('/client/emitter.js');
    const { translator } = await load('/i18n/index.js');
    const { Workplace } = await load('/workplace/workplace.js');
    document.querySelectorAll('link').forEach((link) => link.remove());
    for (const href of ['/ui/messages.css', '/workplace/workplace.css']) {
      const sheet = Object.assign(document.createElement('link'), { rel: 'stylesheet', href });
      document.head.append(sheet);
      await new Promise((resolve) => sheet.addEventListener('load', resolve));
    }
    const client = Object.assign(new Emitter(), {
      welcome: { who: { staff: 'olga' }, name: 'Olga', desk: 'main', role: 'operator' },
      state: { phase: 'online', online: true, asOf: Date.now(), retryAt: null, ended: null },
      pending: [],
      get: async () => ({ events: [], dialogs: [], after: { seq: 0 } }),
      follow() {},
      unfollow() {},
      typing() {},
      cursor() {},
    });
    const workplace = new Workplace(translator('en'), client, 'olga');
    document.body.replaceChildren(workplace.element);
    Object.assign(globalThis, { stage: { client } });
  });
}
