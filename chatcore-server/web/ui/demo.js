// Demo people and their tokens, where the server was started with `--demo`.

/** @import { Participant } from '../client/frames.js' */

/** @typedef {{ name: string, role: 'customer' | 'operator' | 'supervisor', token: string, who: Participant }} Person */

/** @param {string} base @returns {Promise<Person[]>} */
export async function demoPeople(base) {
  const answer = await fetch(new URL('/api/demo/people', base), { cache: 'no-store' });
  if (!answer.ok) {
    throw new Error(`no demo people: status ${answer.status}`);
  }
  return (await answer.json()).people;
}

/** The short id of a person. @param {Person} person */
export function personId({ who }) {
  return typeof who === 'string' ? who : Object.values(who)[0];
}

/** The token of the person asked for, by name here or by the page's `?as=`; else of the first of these roles. @param {string} base @param {Person['role'][]} roles @param {string | null} [name] */
export async function demoToken(base, roles, name) {
  const people = (await demoPeople(base)).filter(({ role }) => roles.includes(role));
  const wanted = name || new URL(location.href).searchParams.get('as');
  const person = wanted ? people.find((one) => personId(one) === wanted) : people[0];
  if (!person) {
    throw new Error(`nobody called ${wanted} among the demo people`);
  }
  return person.token;
}
