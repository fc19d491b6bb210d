/** Sends what was done, once and in its order: what cannot be sent now waits, what is refused is told and passed over. */

import type { Action, Fix } from './shapes'

export type Outcome = { kind: 'sent' } | { kind: 'later' } | { kind: 'signed_out' } | { kind: 'refused'; why: string }

/** What `Kept` can, as far as it is needed here. */
export interface Queues {
  first(queue: 'actions', most?: number): Promise<[number, Action][]>
  first(queue: 'fixes', most?: number): Promise<[number, Fix][]>
  remove(queue: 'actions' | 'fixes', keys: readonly number[]): Promise<void>
}

/** Something that was done, as it is sent. */
export type Sendable = Pick<Action, 'method' | 'path' | 'body' | 'picture' | 'key'>

const TIMEOUT_MS = 20_000
export const FIXES_AT_ONCE = 200

export type Send = (method: string, path: string, body: BodyInit | null, headers: Record<string, string>) => Promise<Outcome>

export async function send(method: string, path: string, body: BodyInit | null, headers: Record<string, string>): Promise<Outcome> {
  let answer: Response
  try {
    answer = await fetch(path, {
      method,
      body,
      headers: { Accept: 'application/json', ...headers },
      credentials: 'same-origin',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
  } catch {
    return { kind: 'later' }
  }
  if (answer.ok) return { kind: 'sent' }
  if (answer.status === 401) return { kind: 'signed_out' }
  if (answer.status === 408 || answer.status === 429 || answer.status >= 500) return { kind: 'later' }
  const problem = await answer.json().catch(() => ({}))
  return { kind: 'refused', why: problem.detail ?? problem.title ?? String(answer.status) }
}

/** Whether everything is sent; `refused` is told of what the server does not take. */
export async function sendActions<A extends Sendable>(
  queues: { first(queue: 'actions', most?: number): Promise<[number, A][]>; remove(queue: 'actions', keys: readonly number[]): Promise<void> },
  by: Send,
  refused: (action: A, why: string) => void,
): Promise<'all' | 'later' | 'signed_out'> {
  for (;;) {
    const [next] = await queues.first('actions', 1)
    if (!next) return 'all'
    const [key, action] = next
    const headers: Record<string, string> = { 'Idempotency-Key': action.key }
    const text = action.body === null ? null : JSON.stringify(action.body)
    if (text !== null) headers['Content-Type'] = 'application/json'
    if (action.picture) headers['Content-Type'] = action.picture.type
    const outcome = await by(action.method, action.path, action.picture ?? text, headers)
    if (outcome.kind === 'later' || outcome.kind === 'signed_out') return outcome.kind
    await queues.remove('actions', [key])
    if (outcome.kind === 'refused') refused(action, outcome.why)
  }
}

/** The same for places, many at a time; what the server cannot use of them it keeps and says so, so nothing is refused. */
export async function sendFixes(queues: Queues, by: Send): Promise<'all' | 'later' | 'signed_out'> {
  for (;;) {
    const batch = await queues.first('fixes', FIXES_AT_ONCE)
    if (!batch.length) return 'all'
    const body = JSON.stringify({ fixes: batch.map(([, fix]) => fix) })
    const outcome = await by('POST', '/v1/positions', body, { 'Content-Type': 'application/json' })
    if (outcome.kind === 'later' || outcome.kind === 'signed_out') return outcome.kind
    await queues.remove('fixes', batch.map(([key]) => key))
  }
}
