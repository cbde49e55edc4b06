// Starts the browser that the pages are tested in.

import { accessSync, constants } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { chromium } from 'playwright-core';

/** The names that `cargo xtask setup` looks for, too. */
const PROGRAMS = ['chromium', 'chromium-browser', 'google-chrome'];

/** Quiet and alone: no sandbox that a container lacks, no traffic of the browser's own. */
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** @param {string} path */
function isProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The browser's path: `CHATCORE_CHROMIUM`, or the first known one on the search path. */
export function browserPath() {
  const chosen = process.env.CHATCORE_CHROMIUM;
  if (chosen) {
    return chosen;
  }
  const folders = (process.env.PATH ?? '').split(delimiter);
  const found = PROGRAMS.flatMap((name) => folders.map((folder) => join(folder, name))).find(isProgram);
  if (!found) {
    throw new Error('no Chromium on the search path: run `cargo xtask setup`');
  }
  return found;
}

/**
 * Starts a browser with a fresh profile: nothing is kept of an earlier run, and nothing is left.
 *
 * Returns the one context of that profile, which persists across pages as a person's browser
 * does. For two people who must not share storage, launch twice. Always `close()` it, in a
 * `finally` or an `after` hook.
 *
 * @param {import('playwright-core').BrowserContextOptions} [options] viewport, locale and the like
 * @returns {Promise<{ context: import('playwright-core').BrowserContext, close: () => Promise<void> }>}
 */
export async function launch(options = {}) {
  const profile = await mkdtemp(join(tmpdir(), 'chatcore-browser-'));
  const drop = () => rm(profile, { recursive: true, force: true, maxRetries: 5 });
  try {
    const context = await chromium.launchPersistentContext(profile, {
      executablePath: browserPath(),
      headless: true,
      args: FLAGS,
      ...options,
    });
    return {
      context,
      close: async () => {
        try {
          await context.close();
        } finally {
          await drop();
        }
      },
    };
  } catch (error) {
    await drop();
    throw error;
  }
}
