/** Talks to the API under the session cookie. */

import type { Person } from './types'
import type { Page } from './undescribed'
import { objection } from './why'

export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    /** What was wrong with what was sent, and where (a JSON pointer). */
    readonly errors: readonly Fault[] = [],
  ) {
    super(message)
  }
}

export interface Fault {
  pointer: string
  detail: string
}

const TIMEOUT_MS = 15_000

/** What signs the user out when the server does not know the session any more. */
export const session = { expired: () => {} }

/** `body` as JSON, or as it is where `kind` says what it is. */
export const unreached = () => new Problem(0, 'offline', 'The server cannot be reached.')

/** What an answer says; the time may be over, or the connection gone, in the middle of it. */
const textOf = (response: Response): Promise<string> =>
  response.text().catch((): never => {
    throw unreached()
  })

const read = async <T>(response: Response): Promise<T> => JSON.parse(await textOf(response))

async function request(method: string, path: string, body?: unknown, kind?: string, withinMs = TIMEOUT_MS): Promise<Response> {
  const headers: Record<string, string> = { Accept: 'application/json' }
  const text = body === undefined ? undefined : kind ? String(body) : JSON.stringify(body)
  if (text !== undefined) headers['Content-Type'] = kind ?? 'application/json'
  if (method === 'POST') headers['Idempotency-Key'] = crypto.randomUUID?.() ?? String(Math.random())
  let response: Response
  try {
    response = await fetch(path, {
      method,
      headers,
      body: text,
      credentials: 'same-origin',
      // What is sent while the page is left arrives all the same; browsers allow that up to 64 KiB.
      keepalive: method !== 'GET' && (text?.length ?? 0) < 10_000,
      signal: AbortSignal.timeout(withinMs),
    })
  } catch {
    throw unreached()
  }
  if (response.status === 401 && path !== '/v1/me' && path !== '/v1/sign-in') session.expired()
  return checked(response)
}

/** As the server tells it, of a whole answer or of a part of one. */
export const problemOf = (status: number, problem: Record<string, any>) =>
  new Problem(status, problem.code ?? 'http', words(problem) || `The server answered ${status}.`, problem.errors)

async function checked(response: Response): Promise<Response> {
  if (response.ok) return response
  throw problemOf(response.status, await response.json().catch(() => ({})))
}

/** What was asked for elsewhere (early.ts). */
export async function taken<T>(answer: Response | Promise<Response>): Promise<T> {
  const response = await Promise.resolve(answer).catch((): never => {
    throw unreached()
  })
  return read(await checked(response))
}

/** What a problem (RFC 9457) says to a person. */
export function words(problem: Record<string, any>): string {
  const reasons = (problem.reasons ?? []).map(objection).join('; ')
  const errors = (problem.errors ?? []).map((one: { pointer: string; detail: string }) => `${one.pointer}: ${one.detail}`).join('; ')
  return (errors && `${problem.detail ?? problem.title} ${errors}`) || (reasons && `${problem.title}: ${reasons}.`) || (problem.detail ?? problem.title ?? '')
}

export async function get<T>(path: string): Promise<T> {
  return read(await request('GET', path))
}

/** The answer, or null when the server has no such thing (404): a role that is not installed, or nothing there yet. */
export async function find<T>(path: string): Promise<T | null> {
  try {
    return await get<T>(path)
  } catch (error) {
    if (error instanceof Problem && error.status === 404) return null
    throw error
  }
}

/** `withinMs`: where the server itself waits for somebody else. */
export async function send<T>(method: 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, body?: unknown, withinMs?: number): Promise<T | null> {
  const response = await request(method, path, body, undefined, withinMs)
  const text = await textOf(response)
  return text ? JSON.parse(text) : null
}

/** Text of another kind than JSON. */
export async function upload<T>(path: string, kind: string, text: string): Promise<T> {
  return read(await request('POST', path, text, kind))
}

/** Whose token that is, or null for nobody's; the session stays as it is. */
export async function whose(token: string): Promise<Person | null> {
  const headers = { Authorization: `Bearer ${token}` }
  const answer = await fetch('/v1/me', { headers, credentials: 'omit', signal: AbortSignal.timeout(TIMEOUT_MS) }).catch(
    () => null,
  )
  return answer?.ok ? answer.json() : null
}

/** Every page of a list, at most `limit` items. */
export async function all<T>(path: string, limit = 20_000): Promise<T[]> {
  const items: T[] = []
  let next: string | null | undefined
  do {
    const separator = path.includes('?') ? '&' : '?'
    const page: Page<T> = await get(
      next ? `${path}${separator}cursor=${encodeURIComponent(next)}` : path,
    )
    items.push(...page.items)
    next = page.next
  } while (next && items.length < limit)
  return items
}
