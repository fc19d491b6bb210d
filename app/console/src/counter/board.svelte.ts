/** What the place has to make, what it said, and what of that the server knows. */

import { send, sendActions } from '../courier/sending'
import { ring } from '../courier/sound'
import * as api from '../lib/api'
import { Problem } from '../lib/api'
import { locale } from '../lib/locale.svelte'
import type { Page } from '../lib/undescribed'
import { Outbox } from './outbox'
import { goesAfter, slotsOf, tasksAfter } from './pending'
import type { Go, Place, Said, Step, Task } from './shapes'

const LOOK_EVERY_MS = 10_000
/** Nobody speaks for the place here, or somebody who may not. */
const STRANGERS = new Set([401, 403])

export interface Refusal {
  step: Step
  why: string
}

export class Board {
  place = $state.raw<Place | null>(null)
  isSignedOut = $state(false)
  isConnected = $state(false)
  refusals = $state.raw<Refusal[]>([])
  now = $state(Date.now())
  private tasks = $state.raw<Task[] | null>(null)
  private made = $state.raw<Go[]>([])
  said = $state.raw<Said[]>([])

  readonly slots = $derived(slotsOf(tasksAfter(this.tasks ?? [], this.said), this.now))
  readonly goes = $derived(goesAfter(this.made, this.said))
  readonly isReady = $derived(this.place !== null && this.tasks !== null)
  readonly isPaused = $derived(this.place?.paused_until != null && Date.parse(this.place.paused_until) > this.now)

  private readonly outbox = new Outbox(localStorage, 'place-said')
  private isLooking = false
  private looksAgain = false

  start(): void {
    this.said = this.outbox.all()
    void this.look()
    addEventListener('online', () => void this.look())
    addEventListener('offline', () => (this.isConnected = false))
    document.addEventListener('visibilitychange', () => void (document.hidden || this.look()))
    setInterval(() => void this.look(), LOOK_EVERY_MS)
    setInterval(() => (this.now = Date.now()), 1000)
  }

  /** Keep that something was said, and tell the server as soon as there is a network. */
  async say(step: Step, orderId: string, body: Record<string, unknown> = {}): Promise<void> {
    const isTimed = step === 'start' || step === 'ready'
    await this.keep(step, orderId, `tasks/${orderId}/${step}`, body, isTimed)
  }

  /** The same of what is made ahead. */
  async sayAhead(step: 'start' | 'ready' | 'skip', { item, amount }: Go): Promise<void> {
    await this.keep(step, '', `ahead/${step}`, step === 'ready' ? { item } : { item, amount }, true)
  }

  private async keep(step: Step, orderId: string, to: string, body: Record<string, unknown>, isTimed: boolean): Promise<void> {
    const at = new Date().toISOString()
    const path = `/v1/places/${this.place!.id}/${to}`
    this.outbox.add({ step, orderId, method: 'POST', path, body: isTimed ? { ...body, at } : body, key: crypto.randomUUID(), at })
    this.said = this.outbox.all()
    await this.look()
  }

  /** Begin nothing new for some minutes; 0: go on. */
  async pause(minutes: number): Promise<void> {
    try {
      this.place = (await api.send<Place>('POST', `/v1/places/${this.place!.id}/pause`, { minutes })) ?? this.place
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      this.isConnected = error.status !== 0
    }
    await this.look()
  }

  dismiss(refusal: Refusal): void {
    this.refusals = this.refusals.filter((known) => known !== refusal)
  }

  /** Send what waits, and see what there is to make; asked meanwhile, once more. */
  private async look(): Promise<void> {
    if (this.isSignedOut) return
    if (this.isLooking) return void (this.looksAgain = true)
    this.isLooking = true
    try {
      do {
        this.looksAgain = false
        await this.once()
      } while (this.looksAgain)
    } finally {
      this.isLooking = false
    }
  }

  private async once(): Promise<void> {
    const refused = ({ step }: Said, why: string) => (this.refusals = [...this.refusals, { step, why }])
    const outcome = await sendActions(this.outbox, send, refused)
    if (outcome === 'signed_out') return void (this.isSignedOut = true)
    if (outcome === 'later') return void (this.isConnected = false)
    try {
      const [place] = (await api.get<Page<Place>>('/v1/places')).items
      if (!place) return void (this.isSignedOut = true)
      const { items } = await api.get<Page<Task>>(`/v1/places/${place.id}/tasks`)
      const isAhead = place.recipes.some(({ ahead_minutes }) => ahead_minutes != null)
      this.made = isAhead ? (await api.get<Page<Go>>(`/v1/places/${place.id}/ahead`)).items : []
      this.show(place, items)
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      this.isConnected = false
      this.isSignedOut = STRANGERS.has(error.status)
    }
  }

  private show(place: Place, tasks: Task[]): void {
    const known = this.tasks && new Set(this.tasks.map((task) => task.order_id))
    if (known && tasks.some((task) => !known.has(task.order_id))) ring()
    locale.setZone(place.timezone)
    ;[this.place, this.tasks, this.isConnected] = [place, tasks, true]
    this.said = this.outbox.all()
  }
}
