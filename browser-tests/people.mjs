// A customer and an operator at their pages, as tests speak of them.

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { launch } from './launch.mjs';
import { startServer } from './server.mjs';

/** @import { BrowserContextOptions, Locator, Page } from 'playwright-core' */
/** @import { Server } from './server.mjs' */

const SHOTS = fileURLToPath(new URL('../target/screenshots/', import.meta.url));
const WAIT_MS = 15_000;

/** What a page may complain about while its server is away; anything else fails the test. */
const NETWORK = /net::ERR_|Failed to load resource|WebSocket connection to/u;

/** `before` runs in each page before its own scripts. @typedef {BrowserContextOptions & { lang?: string, before?: () => void }} Options */

/** One person at one browser. */
class Person {
  /** @param {Page} page @param {() => Promise<void>} close @param {string} address */
  constructor(page, close, address) {
    this.page = page;
    this.close = close;
    this.address = address;
    /** @type {string[]} */
    this.complaints = [];
    this.watch(page);
  }

  /** @param {Page} page */
  watch(page) {
    page.setDefaultTimeout(WAIT_MS);
    page.on('pageerror', (error) => this.complaints.push(String(error.stack)));
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type()) && !NETWORK.test(message.text())) {
        this.complaints.push(message.text());
      }
    });
  }

  /** @param {string} name */
  async shot(name) {
    mkdirSync(SHOTS, { recursive: true });
    await this.page.screenshot({ path: `${SHOTS}${name}.png`, animations: 'disabled' });
  }

  /** Nothing was wrong on the page: no error, no breach of its policy. */
  calm() {
    assert.deepEqual(this.complaints, []);
  }
}

/** @param {string} base @param {string} path @param {string} who @param {Options} options */
async function arrive(base, path, who, { lang = 'en', before, ...options }) {
  const { context, close } = await launch({ viewport: { width: 1280, height: 800 }, ...options });
  if (before) {
    await context.addInitScript(before);
  }
  const address = `${base}${path}?as=${who}&lang=${lang}`;
  const page = context.pages()[0] ?? (await context.newPage());
  return { page, close, address };
}

export class Customer extends Person {
  /** @param {string} base @param {string} who @param {Options} [options] */
  static async at(base, who, options = {}) {
    const { page, close, address } = await arrive(base, '/customer.html', who, options);
    const customer = new Customer(page, close, address);
    await page.goto(address);
    return customer;
  }

  /** The same person in one more tab of the same browser. */
  async tab() {
    const tab = new Customer(await this.page.context().newPage(), async () => {}, this.address);
    await tab.page.goto(this.address);
    return tab;
  }

  get widget() {
    return this.page.locator('chatcore-widget');
  }

  get field() {
    return this.widget.locator('.composer .field:not(.sizer)');
  }

  /** Messages of everyone, also those on their way. */
  get messages() {
    return this.widget.locator('.log .bubble .text');
  }

  async open() {
    await this.widget.locator('.opener').click();
    await this.field.waitFor();
  }

  /** @param {string} text */
  async say(text) {
    await this.field.fill(text);
    await this.field.press('Enter');
  }

  /** @param {string} text */
  async sees(text) {
    await this.messages.getByText(text, { exact: true }).waitFor();
  }

  /** Waits until everything said here was accepted. */
  async accepted() {
    await this.widget.locator('.log .sending').first().waitFor({ state: 'detached' });
  }

  /** @param {string} name */
  async press(name) {
    await this.widget.getByRole('button', { name, exact: true }).click();
  }

  /** Writes, meets the bot, asks for a person. @param {string} text */
  async asksForPerson(text) {
    await this.open();
    await this.say(text);
    await this.sees(text);
    await this.accepted();
    await this.press('Ask for a person');
    await this.widget.locator('.waiting').waitFor();
  }

  /** @returns {Promise<string>} the dialog's number */
  async number() {
    const shown = this.widget.locator('.number');
    await shown.getByText(/\d/u).or(shown.filter({ hasText: /\d/u })).first().waitFor();
    return /\d+/u.exec((await shown.textContent()) ?? '')?.[0] ?? '';
  }

  /** Knows that the line is down. */
  async offline() {
    await this.widget.locator('.banner.offline').waitFor();
  }

  /** Is up to date again, with everything sent. */
  async online() {
    await this.widget.locator('.banner.offline').waitFor({ state: 'detached', timeout: 60_000 });
    await this.accepted();
  }

  /** @returns {Promise<string[]>} */
  async said() {
    return this.messages.allTextContents();
  }
}

export class Operator extends Person {
  /** Signed in and available. @param {string} base @param {string} who @param {Options} [options] */
  static async at(base, who, options = {}) {
    const { page, close, address } = await arrive(base, '/operator.html', who, options);
    const operator = new Operator(page, close, address);
    await page.goto(address);
    await page.locator('.status:enabled').waitFor();
    await page.locator('.status').selectOption('available');
    await page.locator('.status[data-status=available]').waitFor();
    return operator;
  }

  get field() {
    return this.page.locator('.thread .composer .field:not(.sizer)');
  }

  get messages() {
    return this.page.locator('.thread .log .bubble .text');
  }

  /** @param {string} name @returns {Locator} */
  list(name) {
    return this.page.locator(`.section-${name} button.dialog`);
  }

  /** @param {string} name */
  action(name) {
    return this.page.locator(`.bar [data-action=${name}]`);
  }

  /** @param {string} dialog its number @param {string} from a list */
  async open(dialog, from = 'waiting') {
    await this.page.locator(`.section-${from} button.dialog[data-dialog="${dialog}"]`).click();
    await this.page.locator('.thread .facts').getByText(`#${dialog}`).waitFor();
  }

  /** @param {string} dialog */
  async take(dialog) {
    await this.open(dialog);
    await this.action('take').click();
    await this.owns(dialog);
  }

  /** @param {string} dialog */
  async owns(dialog) {
    await this.page.locator(`.section-mine button.dialog[data-dialog="${dialog}"]`).waitFor();
    await this.action('close').waitFor();
  }

  /** @param {string} text */
  async say(text) {
    await this.field.fill(text);
    await this.field.press('Enter');
  }

  /** @param {string} text */
  async sees(text) {
    await this.messages.getByText(text, { exact: true }).waitFor();
  }

  /** Knows that the line is down. */
  async offline() {
    await this.page.locator('.stale').waitFor();
  }

  /** Is up to date again. */
  async online() {
    await this.page.locator('.stale').waitFor({ state: 'hidden', timeout: 60_000 });
  }

  /** @returns {Promise<string[]>} */
  async said() {
    return this.messages.allTextContents();
  }

  /** Answers the window that asks. @param {string} button */
  async answer(button) {
    await this.page.locator('dialog[open]').getByRole('button', { name: button, exact: true }).click();
  }
}

/**
 * Runs a story on a server of its own, and ends everyone in it, also when it fails; then pictures
 * are left.
 *
 * @param {string} name
 * @param {(bring: <P extends Person>(person: Promise<P>) => Promise<P>, server: Server) => Promise<void>} tell
 */
export async function story(name, tell) {
  /** @type {Person[]} */
  const people = [];
  const server = await startServer();
  try {
    await tell(async (coming) => {
      const person = await coming;
      people.push(person);
      return person;
    }, server);
    people.forEach((person) => person.calm());
  } catch (error) {
    await Promise.allSettled(people.map((person, index) => person.shot(`failed-${name}-${index}`)));
    throw error;
  } finally {
    await Promise.allSettled(people.map((person) => person.close()));
    await server.end();
  }
}
