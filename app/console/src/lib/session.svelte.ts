/** Who looks at the page, and what they may do. */

import * as api from './api'
import type { Person } from './types'
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
  async start(): Promise<boolean> {
    const carried = takeFromAddress()
    this.failed = failureInAddress()
    // Both at once, and asked for by the page itself while its script is on the way (index.html).
    const [config, person] = await Promise.all([api.get<Config>('/ui/config.json'), api.get<Person>('/v1/me').catch(() => null)])
    this.config = config
    this.person = person
    if (carried && this.person === null) {
      try {
        await this.signIn(carried)
      } catch (error) {
        this.problem = error instanceof Error ? error.message : String(error)
      }
    } else if (carried && this.person && !(await this.isOf(this.person, carried))) this.offered = carried
    this.isSignedOut = this.person === null
    return this.person !== null
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

/** Out of the address at once: it is a secret, and addresses are shared and remembered. */
function takeFromAddress(): Credentials | null {
  const found = /[#&](token|code)=([^&]+)/.exec(location.hash)
  if (!found) return null
  history.replaceState(null, '', location.pathname + location.search)
  const value = decodeURIComponent(found[2]!).trim()
  return found[1] === 'token' ? { token: value } : { code: value }
}
