// Starts the workplace: who signs in, in which language.

import { ChatClient } from '../client/chatcore-client.js';
import { pageLanguage, translator } from '../i18n/index.js';
import { demoToken } from '../ui/demo.js';
import { askToken } from './forms.js';
import { Workplace } from './workplace.js';

const TOKEN_KEY = 'chatcore.token';
const i18n = translator(pageLanguage());
const demo = new URL(location.href).searchParams.get('as');

document.documentElement.lang = i18n.lang;
document.title = i18n.t('workplace.title');

/** The demo person of the address, a token kept for this tab, or one that is asked for. @param {{ fresh: boolean }} asked */
async function bringToken({ fresh }) {
  if (demo !== null) {
    return demoToken(location.origin, ['operator', 'supervisor'], demo);
  }
  const kept = sessionStorage.getItem(TOKEN_KEY);
  const token = kept && !fresh ? kept : await askToken(i18n);
  sessionStorage.setItem(TOKEN_KEY, token ?? '');
  return token ?? '';
}

const client = new ChatClient({ base: location.origin, token: bringToken, locale: i18n.lang });
const workplace = new Workplace(i18n, client, demo ?? 'me');
document.body.replaceChildren(workplace.element);
client.start();
