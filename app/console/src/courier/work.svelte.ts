/** The courier's work: what is to be done, what was done, and what of it the server knows. */

import * as api from '../lib/api'
import { Problem } from '../lib/api'
import { metresBetween } from '../lib/format'
import { locale } from '../lib/locale.svelte'
import type { Person } from '../lib/types'
import type { Page } from '../lib/undescribed'
import { Kept } from './kept'
import { dutyAfter, offersAfter, stopsAfter, takenOrders, visitOf, type ShownStop } from './pending'
import { send, sendActions, sendFixes } from './sending'
import type { Action, Day, Fix, Message, Offer, Route, What } from './shapes'
import { ring } from './sound'
import { RouteStream } from './stream'
import { Tracker } from './tracker'
import { FAR_M } from './ways'

const FLUSH_EVERY_MS = 15_000

export interface Refusal {
  what: What
  why: string
}

export class Work {
  person = $state.raw<Person | null>(null)
  /** Nobody is signed in here, or somebody who is no courier. */
  isSignedOut = $state(false)
  isReady = $state(false)
  isConnected = $state(false)
  isPlaceRefused = $state(false)
  here = $state.raw<Fix | null>(null)
  route = $state.raw<Route | null>(null)
  day = $state.raw<Day | null>(null)
  /** The newest first. */
  messages = $state.raw<Message[]>([])
  private seenMessage = $state(0)
  refusals = $state.raw<Refusal[]>([])
  now = $state(Date.now())
  private offers = $state.raw<Offer[]>([])
  /** In the order in which they were done; those that were sent stay until the route says so, too. */
  actions = $state.raw<Action[]>([])
  private arrived = $state.raw<ReadonlySet<string>>(new Set())

  readonly stops = $derived(stopsAfter(this.route, this.actions, this.arrived, takenOrders(this.actions)))
  readonly openOffers = $derived(offersAfter(this.offers, this.actions, this.now))
  readonly duty = $derived(dutyAfter(this.day, this.actions))

  /** Support wrote something that was not looked at yet. */
  readonly hasAnswer = $derived(this.messages.some(({ id, role }) => role !== 'courier' && id > this.seenMessage))

  private kept: Kept | null = null
  private stream: RouteStream | null = null
  private isSending = false
  private isSendingAgain = false
  private readonly tracker = new Tracker(
    (fix, isNews) => this.placed(fix, isNews),
    (refused) => (this.isPlaceRefused = refused),
  )

  async start(): Promise<void> {
    this.kept = await Kept.open()
    this.person = (await this.kept.seen<Person>('person')) ?? null
    try {
      await this.identify(await api.get<Person>('/v1/me'))
    } catch (error) {
      if (error instanceof Problem && error.status === 0 && this.person) this.isSignedOut = false
      else return this.end()
    }
    if (this.isSignedOut) return
    this.show((await this.kept.seen<Route>('route')) ?? null, (await this.kept.seen<Day>('day')) ?? null)
    this.arrived = new Set((await this.kept.seen<string[]>('arrived')) ?? [])
    this.seenMessage = (await this.kept.seen<number>('message')) ?? 0
    this.messages = (await this.kept.seen<Message[]>('messages')) ?? []
    this.actions = (await this.kept.first('actions')).map(([, action]) => action)
    this.isReady = true
    this.follow()
    void this.flush()
  }

  private async identify(person: Person): Promise<void> {
    if (!person.courier_id) return this.end()
    if (this.person && this.person.courier_id !== person.courier_id) await this.kept!.forget()
    this.person = person
    await this.kept!.see('person', $state.snapshot(person))
  }

  private end(): void {
    this.isSignedOut = true
    this.stream?.close()
    this.tracker.stop()
  }

  private follow(): void {
    const id = this.person!.courier_id!
    this.stream = new RouteStream(id, {
      onRoute: (route) => void this.show(route, this.day),
      onOffer: (offer) => this.offered(offer),
      onOfferClosed: (gone) => (this.offers = this.offers.filter((offer) => offer.id !== gone)),
      onConnection: (isOpen) => {
        this.isConnected = isOpen
        if (isOpen) void this.flush()
      },
    })
    addEventListener('online', () => {
      this.stream?.open()
      void this.flush()
    })
    addEventListener('offline', () => (this.isConnected = false))
    document.addEventListener('visibilitychange', () => void (document.hidden || this.flush()))
    setInterval(() => void this.flush(), FLUSH_EVERY_MS)
    setInterval(() => void (document.hidden || this.readMessages()), FLUSH_EVERY_MS)
    void this.readMessages()
    setInterval(() => (this.now = Date.now()), 1000)
  }

  private show(route: Route | null, day: Day | null): void {
    if (route && route !== this.route) {
      this.route = route
      for (const offer of route.offers ?? []) this.offered(offer as Offer)
      this.offers = this.offers.filter((known) => (route.offers ?? []).some((offer) => offer.id === known.id))
      void this.kept?.see('route', route)
    }
    if (day && day !== this.day) {
      this.day = day
      locale.setZone(day.timezone)
      void this.kept?.see('day', day)
    }
    if (this.duty.isOn) this.tracker.start()
    else this.tracker.stop()
  }

  private offered(offer: Offer): void {
    if (!this.offers.some((known) => known.id === offer.id)) ring()
    this.offers = [...this.offers.filter((known) => known.id !== offer.id), offer]
  }

  private placed(fix: Fix, isNews: boolean): void {
    this.here = fix
    if (isNews) void this.kept!.add('fixes', fix).then(() => this.flush())
  }

  /** How far the courier is from a stop beyond doubt, in metres; null: near enough, or nobody knows. */
  farFrom(stop: ShownStop): number | null {
    if (!this.here || Date.now() - Date.parse(this.here.fixed_at) > 120_000) return null
    const metres = metresBetween(this.here, stop)
    return metres - (this.here.accuracy_m ?? 0) > FAR_M ? metres : null
  }

  /** Keep that something was done, and tell the server as soon as there is a network. */
  async act(what: What, path: string, body: Record<string, unknown> = {}, about: Pick<Action, 'orderId' | 'offerId' | 'orderIds'> = {}): Promise<void> {
    await this.keep(what, path, body, about)
    if (what === 'on_duty' || what === 'off_duty') this.show(null, null)
    await this.flush()
  }

  private async keep(
    what: What,
    path: string,
    body: Record<string, unknown>,
    about: Pick<Action, 'orderId' | 'offerId' | 'orderIds' | 'picture'>,
  ): Promise<void> {
    const { picture, ...ids } = about
    const at = new Date().toISOString()
    const takesTime = what !== 'comment' && what !== 'message' && what !== 'photo' && what !== 'reject' && what !== 'on_duty' && what !== 'off_duty'
    const action: Action = {
      what,
      method: picture ? 'PUT' : 'POST',
      path,
      body: picture ? null : takesTime ? { ...body, at } : Object.keys(body).length ? body : null,
      key: crypto.randomUUID(),
      at,
      ...(picture ? { picture } : {}),
      ...ids,
    }
    await this.kept!.add('actions', action)
    this.actions = [...this.actions, action]
  }

  /** Keep pictures of an order, to be sent before what is done next; their ids. */
  async sendPictures(orderId: string, pictures: readonly Blob[], kind: 'photo' | 'signature'): Promise<string[]> {
    const ids: string[] = []
    for (const picture of pictures) {
      const id = crypto.randomUUID()
      await this.keep('photo', `/v1/orders/${orderId}/pictures/${id}?kind=${kind}`, {}, { orderId, picture })
      ids.push(id)
    }
    return ids
  }

  /** Shown only once it is kept: whoever reads "You are there" must not lose it with the page. */
  async arriveAt(stop: ShownStop): Promise<void> {
    await this.keep('arrived', `/v1/orders/${stop.order_id}/arrived`, {}, { orderId: stop.order_id })
    this.arrived = new Set([...this.arrived, visitOf(stop)])
    await this.kept!.see('arrived', [...this.arrived].slice(-200))
    await this.flush()
  }

  /** What support wrote; without a network, what was last seen. */
  async readMessages(): Promise<void> {
    try {
      const page = await api.get<Page<Message>>(`/v1/couriers/${this.person!.courier_id}/messages`)
      this.messages = page.items
      await this.kept!.see('messages', page.items)
    } catch (error) {
      if (!(error instanceof Problem)) throw error
    }
  }

  sawMessages(messages: readonly Message[]): void {
    const newest = messages[0]?.id ?? 0
    if (newest <= this.seenMessage) return
    this.seenMessage = newest
    void this.kept?.see('message', newest)
  }

  dismiss(refusal: Refusal): void {
    this.refusals = this.refusals.filter((known) => known !== refusal)
  }

  async signOut(): Promise<void> {
    await api.send('POST', '/v1/sign-out').catch(() => null)
    await this.kept?.forget()
    this.end()
  }

  /** Send what waits, one after the other; asked meanwhile, once more. */
  private async flush(): Promise<void> {
    if (this.isSending) return void (this.isSendingAgain = true)
    this.isSending = true
    try {
      do {
        this.isSendingAgain = false
        await this.kept!.boundFixes()
        const nBefore = await this.kept!.count('actions')
        const refused = (action: Action, why: string) => (this.refusals = [...this.refusals, { what: action.what, why }])
        const outcome = await this.alone(() => sendActions(this.kept!, send, refused))
        if (outcome === 'signed_out') return this.end()
        if (outcome === 'all' && (nBefore > 0 || this.actions.length || !this.day)) await this.refresh()
        if ((await this.alone(() => sendFixes(this.kept!, send))) === 'signed_out') return this.end()
      } while (this.isSendingAgain)
    } finally {
      this.isSending = false
    }
  }

  /** One page of this phone at a time, so that the order of things is kept where two are open. */
  private async alone<T>(work: () => Promise<T>): Promise<T> {
    return navigator.locks ? navigator.locks.request('postrider-courier', work) : work()
  }

  /** Ask again how the day stands, while nothing is on its way. */
  async look(): Promise<void> {
    if (!this.isSending && !this.actions.length) await this.refresh()
  }

  /** What the server says now; only then what was sent is forgotten here. */
  private async refresh(): Promise<void> {
    const path = `/v1/couriers/${this.person!.courier_id}`
    const sentMessage = this.actions.some(({ what }) => what === 'message')
    try {
      const [route, day] = await Promise.all([api.get<Route>(`${path}/route`), api.get<Day>(`${path}/day`)])
      this.actions = (await this.kept!.first('actions')).map(([, action]) => action)
      this.show(route, day)
      if (sentMessage) await this.readMessages()
    } catch (error) {
      if (!(error instanceof Problem)) throw error // else there is no network again: it is asked later
    }
  }
}
