// <chatcore-widget>: the customer's chat, inside any site.
//
//   <script type="module" src="https://chat.bank.example/widget/chatcore-widget.js"></script>
//   <chatcore-widget token-url="/chat-token"></chatcore-widget>
//
// Attributes: `token-url` (answers `{"token": "…"}` to the site's own cookies), `server` (where this
// script came from unless said), `lang`, `heading`, `channel` (`web`), `theme` (`light`, `dark`, else
// the system's), `open`, and `demo` (a demo person: its value, the page's `?as=`, or the first).
// Instead of `token-url` a site may set the property `token` to a function that brings one.
//
// Events: `chatcore-open`, `chatcore-close`, `chatcore-unread` {count}, `chatcore-state` {online},
// `chatcore-dialog` {dialog, phase}. Variables: see widget.css.

import { ChatClient } from '../client/chatcore-client.js';
import { pageLanguage, translator } from '../i18n/index.js';
import { ChatStore } from '../model/store.js';
import { demoToken } from '../ui/demo.js';
import { h, icon } from '../ui/dom.js';
import { Conversation } from './conversation.js';
import { Panel } from './panel.js';

const HERE = new URL(import.meta.url);

export class ChatcoreWidget extends HTMLElement {
  /** Brings a token instead of `token-url`; a page may have set it before this script came. @type {((asked: { fresh: boolean }) => Promise<string>) | null} */
  token = /** @type {any} */ (this)['token'] ?? null;
  /** @type {ChatClient | null} */
  #client = null;
  /** @type {Panel | null} */
  #panel = null;
  #button = h('button', { type: 'button', class: 'opener', part: 'button' });
  #count = h('span', { class: 'count', 'aria-hidden': 'true', hidden: true });
  #told = { unread: -1, online: /** @type {boolean | null} */ (null), dialog: '' };

  static get observedAttributes() {
    return ['open'];
  }

  get open() {
    return this.hasAttribute('open');
  }

  set open(on) {
    this.toggleAttribute('open', on);
  }

  connectedCallback() {
    if (this.#client) {
      return;
    }
    const i18n = translator(pageLanguage(this.getAttribute('lang')));
    const root = this.shadowRoot ?? this.attachShadow({ mode: 'open' });
    this.#client = new ChatClient({
      base: this.getAttribute('server') ?? HERE.origin,
      token: (asked) => this.#bringToken(asked),
      locale: i18n.lang,
    });
    const store = new ChatStore(this.#client);
    const conversation = new Conversation(store, this.getAttribute('channel') ?? 'web');
    const heading = this.getAttribute('heading') ?? i18n.t('widget.title');
    this.#panel = new Panel({ i18n, store, conversation, heading, close: () => (this.open = false) });
    this.#button.append(icon('chat'), this.#count);
    this.#button.addEventListener('click', () => (this.open = !this.open));
    const frame = h('div', { class: 'frame', lang: i18n.lang }, this.#panel.element, this.#button);
    // Nothing is shown before it is styled: a page's own styles do not reach in here.
    frame.hidden = true;
    const sheet = h('link', { rel: 'stylesheet', href: new URL('./widget.css', HERE).href, onload: () => (frame.hidden = false) });
    const shared = h('link', { rel: 'stylesheet', href: new URL('../ui/messages.css', HERE).href });
    root.replaceChildren(shared, sheet, frame);
    store.on('changed', () => this.#update(store, conversation, i18n));
    this.#shown();
    this.#client.start();
  }

  disconnectedCallback() {
    // Moving the element within the page disconnects it, too.
    queueMicrotask(() => {
      if (!this.isConnected) {
        this.#client?.stop();
        this.#client = null;
      }
    });
  }

  attributeChangedCallback() {
    if (this.#client) {
      this.#shown();
      this.#tell(this.open ? 'chatcore-open' : 'chatcore-close', {});
    }
  }

  #shown() {
    this.#button.setAttribute('aria-expanded', String(this.open));
    this.#panel?.show(this.open);
    if (!this.open && this.shadowRoot?.activeElement) {
      this.#button.focus();
    }
  }

  /** @param {ChatStore} store @param {Conversation} conversation @param {import('../i18n/index.js').I18n} i18n */
  #update(store, conversation, i18n) {
    const { dialog } = conversation;
    const unread = dialog && store.me && !this.open ? dialog.unread(store.me) : 0;
    const { online } = store.client.state;
    this.#count.hidden = unread === 0;
    this.#count.textContent = unread > 99 ? '99+' : String(unread);
    const label = this.open ? 'widget.close' : unread > 0 ? 'widget.openUnread' : 'widget.open';
    this.#button.setAttribute('aria-label', i18n.t(label, { n: unread }));
    if (unread !== this.#told.unread) {
      this.#told.unread = unread;
      this.#tell('chatcore-unread', { count: unread });
    }
    if (online !== this.#told.online) {
      this.#told.online = online;
      this.#tell('chatcore-state', { online });
    }
    const state = dialog ? `${dialog.id} ${dialog.phase}` : '';
    if (dialog && state !== this.#told.dialog) {
      this.#told.dialog = state;
      this.#tell('chatcore-dialog', { dialog: dialog.id, phase: dialog.phase });
    }
  }

  /** @param {string} name @param {object} detail */
  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }

  /** @param {{ fresh: boolean }} asked @returns {Promise<string>} */
  async #bringToken(asked) {
    if (this.token) {
      return this.token(asked);
    }
    if (this.hasAttribute('demo')) {
      return demoToken(this.getAttribute('server') ?? HERE.origin, ['customer'], this.getAttribute('demo'));
    }
    const answer = await fetch(this.getAttribute('token-url') ?? '/chat-token', { cache: 'no-store' });
    if (!answer.ok) {
      throw new Error(`no token: status ${answer.status}`);
    }
    return (await answer.json()).token;
  }
}

customElements.define('chatcore-widget', ChatcoreWidget);
