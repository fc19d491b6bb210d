/** Who else is at the desk, and who else has the opened order open. */

import * as api from './api'
import type { Present } from './types'

/** The server forgets a page that says nothing for three times as long. */
export const SAY_EVERY_MS = 15_000

/** `crypto.randomUUID` is for secure contexts only. */
function newId(): string {
  const hex = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

export class Presence {
  here = $state.raw<readonly string[]>([])
  order = $state.raw<readonly string[]>([])
  private readonly page = newId()
  private told: string | null = null

  async say(region: string, orderId: string | null): Promise<void> {
    const left = this.told !== orderId ? this.told : null
    if (left) this.order = []
    this.told = orderId
    const query = new URLSearchParams({ ...(region && { region }), ...(orderId && { order_id: orderId }), ...(left && { left }) })
    const answer = await api.send<Present>('PUT', `/v1/presence/${this.page}?${query}`).catch(() => null)
    if (this.told !== orderId) return
    this.here = answer?.here ?? []
    this.order = answer?.order ?? []
  }
}
