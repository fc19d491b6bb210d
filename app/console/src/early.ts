/**
 * What is asked for while the page's script is on its way: who looks, and what moves. Over a slow line that is half of
 * the wait for the first list. It comes before all else, so it is small, and knows nothing of the page.
 */

import { Live } from './lib/live'
import type { Person } from './lib/types'
import type { Credentials } from './lib/session.svelte'

const TIMEOUT_MS = 15_000

export interface Early {
  /** What the opened address would sign in with. */
  carried: Credentials | null
  config: Promise<Response>
  /** Whom the cookie knows. */
  known: Promise<Person | null>
  /** They, or else whom the address signed in; of a refusal its answer, which says why. */
  entered: Promise<Person | Response | null>
  /** The stream of the region that they will look at. */
  live: Promise<Live | null>
}

// As the page's head asks for them, so that the answers are those (index.html).
const ask = (path: string, more?: RequestInit) =>
  fetch(path, { headers: { Accept: 'application/json' }, credentials: 'same-origin', signal: AbortSignal.timeout(TIMEOUT_MS), ...more })

function begin(): Early {
  const carried = takeFromAddress()
  const config = ask('/ui/config.json')
  const known = ask('/v1/me')
    .then((answer): Promise<Person> | null => (answer.ok ? answer.json() : null))
    .catch(() => null)
  const entered = known.then((person) => (person || !carried ? person : signIn(carried)))
  const live = entered.then((one) => (one && !(one instanceof Response) && !one.must_change_password ? follow(one) : null))
  // Whoever takes them hears of it; until then it is nobody's fault.
  for (const one of [config, entered, live]) one.catch(() => undefined)
  return { carried, config, known, entered, live }
}

async function signIn(credentials: Credentials): Promise<Person | Response> {
  const answer = await ask('/v1/sign-in', {
    method: 'POST',
    headers: { Accept: 'application/json', 'Content-Type': 'application/json' },
    body: JSON.stringify(credentials),
  })
  return answer.ok ? answer.json() : answer
}

/** Of the region in the address, or else of their first one, as the page has it, too. */
function follow(person: Person): Live {
  const wanted = new URLSearchParams(location.search).get('region') ?? ''
  const region = person.regions.includes(wanted) ? wanted : person.region
  return new Live(`/v1/live?${region && `region=${encodeURIComponent(region)}`}`)
}

/** Out of the address at once: it is a secret, and addresses are shared and remembered. */
function takeFromAddress(): Credentials | null {
  const found = /[#&](token|code)=([^&]+)/.exec(location.hash)
  if (!found) return null
  history.replaceState(null, '', location.pathname + location.search)
  const value = decoded(found[2]!).trim()
  return found[1] === 'token' ? { token: value } : { code: value }
}

/** A percent sign that begins nothing must not keep the page from beginning: the server refuses what it stands in. */
function decoded(value: string): string {
  try {
    return decodeURIComponent(value)
  } catch {
    return value
  }
}

export const early = begin()
