/** Who looks at the page, and what they may do. */

import * as api from './api'
import type { Person } from './types'
import type { Early } from '../early'
import type { Config, Role } from './undescribed'

const RANK: Record<Role, number> = { courier: 0, place: 0, viewer: 1, auditor: 1, support: 2, dispatcher: 3, service: 3, admin: 4 }

/** What signs in: a name with its password, a token, or the code that an address carries in place of one. */
export type Credentials = { name: string; password: string; totp?: string } | { token: string } | { code: string }

export type Failure = 'unavailable' | 'refused' | 'expired'

export class Session {
  config = $state.raw<Config | null>(null)
  person = $state.raw<Person | null>(null)
  isSignedOut = $state(false)
  /** What the opened address would sign in with, while somebody is signed in: they are asked first. */
  offered = $state.raw<Credentials | null>(null)
  /** How signing in by the identity provider failed. */
  failed = $state<Failure | null>(null)
  /** Why the opened address signed nobody in. */
  problem = $state('')

  /** By the cookie, or else by what the address carries; whether somebody is signed in. */
  async start({ carried, config, known, entered }: Early): Promise<boolean> {
    this.failed = failureInAddress()
    const answers = await Promise.all([api.taken<Config>(config), known])
    this.config = answers[0]
    this.person = answers[1]
    if (carried && this.person === null) {
      try {
        const answer = await entered.catch((): never => {
          throw api.unreached()
        })
        this.person = answer instanceof Response ? await api.taken<Person>(answer) : answer
      } catch (error) {
        this.problem = error instanceof Error ? error.message : String(error)
      }
    } else if (carried && this.person && !(await this.isOf(this.person, carried))) this.offered = carried
    this.isSignedOut = this.person === null
    return this.person !== null
  }

  /** They have a password now. */
  async look(): Promise<void> {
    this.person = await api.get<Person>('/v1/me')
  }

  async signIn(credentials: Credentials): Promise<void> {
    this.person = await api.send<Person>('POST', '/v1/sign-in', credentials)
    this.isSignedOut = false
    this.problem = ''
  }

  /** The server knows nobody any more: the page must not, either. */
  end(): void {
    this.person = null
    this.isSignedOut = true
    this.offered = null
  }

  /** Whether the page is there for them: whoever has no password sets one first. */
  get isReady(): boolean {
    return this.person !== null && !this.person.must_change_password
  }

  can(role: 'support' | 'dispatcher' | 'admin'): boolean {
    return this.person !== null && RANK[this.person.role] >= RANK[role]
  }

  /** Whether there is something for them among what concerns everybody: an auditor reads, an administrator changes. */
  get mayAdminister(): boolean {
    return this.person !== null && !this.person.bounded && (this.person.role === 'admin' || this.person.role === 'auditor')
  }

  /** Whether that is the token of who is signed in already; of a code nobody knows whose it is until it is used. */
  private async isOf(person: Person, carried: Credentials): Promise<boolean> {
    if (!('token' in carried)) return false
    const other = await api.whose(carried.token)
    return other !== null && other.id === person.id
  }
}

/** What the server led back with; told once. */
function failureInAddress(): Failure | null {
  const query = new URLSearchParams(location.search)
  const found = query.get('sign-in')
  if (found === null) return null
  query.delete('sign-in')
  history.replaceState(null, '', `${location.pathname}${query.size ? `?${query}` : ''}${location.hash}`)
  return found === 'unavailable' || found === 'refused' || found === 'expired' ? found : null
}
