/** Who looks at the page, and what they may do. */

import * as api from './api'
import type { Config, Person, Role } from './undescribed'

const RANK: Record<Role, number> = { courier: 0, viewer: 1, support: 2, dispatcher: 3, service: 3, admin: 4 }

export class Session {
  config = $state.raw<Config | null>(null)
  person = $state.raw<Person | null>(null)
  isSignedOut = $state(false)

  /** By the token in the address, or by the cookie; whether somebody is signed in. */
  async start(): Promise<boolean> {
    this.config = await api.get<Config>('/ui/config.json')
    const token = /[#&]token=([^&]+)/.exec(location.hash)?.[1]
    if (token) {
      // Out of the address at once: it is a secret, and addresses are shared and remembered.
      history.replaceState(null, '', location.pathname + location.search)
      await this.signIn(decodeURIComponent(token)).catch(() => undefined)
    }
    if (!this.person) {
      try {
        this.person = await api.get<Person>('/ui/session')
      } catch {
        this.isSignedOut = true
      }
    }
    return this.person !== null
  }

  async signIn(token: string): Promise<void> {
    this.person = await api.send<Person>('POST', '/ui/session', { token: token.trim() })
    this.isSignedOut = false
  }

  /** The server knows nobody any more: the page must not, either. */
  end(): void {
    this.person = null
    this.isSignedOut = true
  }

  can(role: 'support' | 'dispatcher'): boolean {
    return this.person !== null && RANK[this.person.role] >= RANK[role]
  }
}
