/** Notifications while the page is closed (Web Push): asked for by a click, and as long as the session lasts. */

import * as api from './api'
import { locale } from './locale.svelte'

export const bytesOf = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (sign) => sign.charCodeAt(0))

export class Push {
  readonly isPossible = 'serviceWorker' in navigator && 'PushManager' in globalThis && 'Notification' in globalThis
  isOn = $state(false)
  /** The browser was asked and said no, or its service does not answer. */
  isRefused = $state(false)

  async look(): Promise<void> {
    if (!this.isPossible) return
    const registration = await navigator.serviceWorker.getRegistration('/push')
    this.isOn = !!(await registration?.pushManager.getSubscription().catch(() => null))
  }

  async toggle(): Promise<void> {
    this.isRefused = false
    try {
      await (this.isOn ? this.end() : this.begin())
    } catch {
      this.isRefused = true
    }
  }

  private async begin(): Promise<void> {
    if ((await Notification.requestPermission()) !== 'granted') throw new Error('refused')
    const { public_key } = await api.get<{ public_key: string }>('/v1/me/push')
    const registration = await navigator.serviceWorker.register('/push-worker.js', { scope: '/push' })
    const subscription = await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: bytesOf(public_key) })
    const { endpoint, keys } = subscription.toJSON()
    await api.send('PUT', '/v1/me/push', { endpoint, keys, language: locale.language })
    this.isOn = true
  }

  private async end(): Promise<void> {
    const registration = await navigator.serviceWorker.getRegistration('/push')
    const subscription = await registration?.pushManager.getSubscription()
    if (subscription) {
      await api.send('DELETE', '/v1/me/push', { endpoint: subscription.endpoint })
      await subscription.unsubscribe()
    }
    this.isOn = false
  }
}
