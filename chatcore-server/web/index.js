// The demo's start: everybody there is, each with a page of their own.

import { pageLanguage, translator } from './i18n/index.js';
import { demoPeople, personId } from './ui/demo.js';
import { fill, h } from './ui/dom.js';

/** @import { Key } from './i18n/index.js' */
/** @import { Person } from './ui/demo.js' */

const { lang, t } = translator(pageLanguage());
const people = /** @type {HTMLElement} */ (document.getElementById('people'));
const intro = /** @type {HTMLElement} */ (document.getElementById('intro'));

/** @param {Person} person */
function link(person) {
  const page = person.role === 'customer' ? '/customer.html' : '/operator.html';
  const asked = new URL(location.href).searchParams.get('lang');
  const query = new URLSearchParams({ as: personId(person), ...(asked ? { lang: asked } : {}) });
  const kind = t(/** @type {Key} */ (`demo.${person.role}`));
  return h('li', {}, h('a', { href: `${page}?${query}`, target: '_blank', rel: 'noopener' }, person.name, h('span', {}, kind)));
}

document.documentElement.lang = lang;
try {
  const all = await demoPeople(location.origin);
  const customers = all.filter(({ role }) => role === 'customer');
  const staff = all.filter(({ role }) => role !== 'customer');
  intro.textContent = t('demo.intro');
  fill(people, h('h2', {}, t('demo.customers')), h('ul', {}, ...customers.map(link)), h('h2', {}, t('demo.staff')), h('ul', {}, ...staff.map(link)));
} catch {
  intro.textContent = t('demo.none');
}
