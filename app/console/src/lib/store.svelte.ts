/** The state of the page. Positions change often, so they live in plain maps; `version` tells the page to look again. */

import { SvelteSet } from 'svelte/reactivity'
import type { Fix } from '../map/shapes'
import * as api from './api'
import { EVERYTHING, type Filter, fromQuery, intoQuery, listing, type Row, type State } from './filter'
import { shortId } from './format'
import { type Connection, type Frame, Live } from './live'
import type { Alert, Config, Courier, Order, Position, Session } from './types'

export type Tab = 'couriers' | 'orders' | 'alerts'
export const OPEN_STATES = ['placed', 'assigned', 'accepted', 'picked_up']
const CLOSED_STATES = ['delivered', 'cancelled', 'failed', 'returned']
const MOST_CLOSED = 400
const stateQuery = (states: string[]) => states.map((state) => `state=${state}`).join('&')

const TRAIL_MS = 180_000
const LATE_KINDS = new Set(['late', 'late_risk'])
const STUCK_KINDS = new Set(['stuck', 'off_route'])

export class Store {
  config = $state.raw<Config | null>(null)
  session = $state.raw<Session | null>(null)
  isSignedOut = $state(false)
  connection = $state<Connection>('connecting')
  asOf = $state<number | null>(null)
  /** The server's clock in milliseconds, a step a second. */
  now = $state(Date.now())
  hasSnapshot = $state(false)

  /** Which region is looked at; one at a time, for a region is a city. */
  region = $state('')
  tab = $state<Tab>('couriers')
  filter = $state.raw<Filter>(EVERYTHING)
  courierId = $state<string | null>(null)
  orderId = $state<string | null>(null)
  follows = $state(false)
  filtersMap = $state(true)

  orders = $state.raw<Map<string, Order> | null>(null)
  alerts = $state.raw<Alert[]>([])
  hasAlerts = $state(false)
  /** Counts the changes of the selected courier's route, so that its panel reads it again. */
  routeVersion = $state(0)
  /** Counts the changes of the geofences. */
  fenceVersion = $state(0)
  /** What a screen reader is told. */
  announcement = $state('')
  acting = new SvelteSet<string>()

  readonly couriers = new Map<string, Courier>()
  readonly positions = new Map<string, Position>()
  readonly trails = new Map<string, Fix[]>()
  private version = $state(0)
  private offsetMs = 0
  private live: Live | null = null
  private frame = 0
  private readonly waiting = new Map<string, ReturnType<typeof setTimeout>>()
  private readonly staleOrders = new Set<string>()
  /** Orders that changed while the list was being read: what was read of them may be old. */
  private readonly changedMeanwhile = new Set<string>()
  private knownAlerts = new Set<string>()

  /** Every courier, urgent or not. */
  readonly rows: Row[] = $derived.by(() => {
    void this.version
    return this.makeRows(this.now)
  })
  readonly listed = $derived(listing(this.rows, this.filter))
  readonly selected: Row | null = $derived(this.rows.find((row) => row.id === this.courierId) ?? null)
  readonly openOrders: Order[] = $derived([...(this.orders?.values() ?? [])])
  readonly openAlerts: Alert[] = $derived(this.alerts.filter((alert) => !alert.resolved_at))

  constructor() {
    this.readAddress()
    setInterval(() => (this.now = Date.now() + this.offsetMs), 1000)
    addEventListener('popstate', () => this.readAddress())
    api.session.expired = () => this.signedOut()
  }

  async start(): Promise<void> {
    this.config = await api.get<Config>('/ui/config.json')
    const token = /[#&]token=([^&]+)/.exec(location.hash)?.[1]
    if (token) {
      // Out of the address at once: it is a secret, and addresses are shared and remembered.
      history.replaceState(null, '', location.pathname + location.search)
      await this.signIn(decodeURIComponent(token)).catch(() => undefined)
    }
    if (!this.session) {
      try {
        this.session = await api.get<Session>('/ui/session')
      } catch {
        this.isSignedOut = true
        return
      }
    }
    this.open()
  }

  async signIn(token: string): Promise<void> {
    this.session = await api.send<Session>('POST', '/ui/session', { token: token.trim() })
    if (this.isSignedOut) {
      this.isSignedOut = false
      this.open()
    }
  }

  async signOut(): Promise<void> {
    await api.send('DELETE', '/ui/session').catch(() => undefined)
    this.signedOut()
  }

  private signedOut(): void {
    this.live?.close()
    this.live = null
    this.session = null
    this.isSignedOut = true
    this.hasSnapshot = false
    this.empty()
  }

  can(role: 'support' | 'dispatcher'): boolean {
    const rank = { courier: 0, viewer: 1, support: 2, dispatcher: 3, service: 3, admin: 4 }
    return this.session !== null && rank[this.session.role] >= rank[role]
  }

  private open(): void {
    this.live?.close()
    const known = this.session?.regions ?? []
    if (!known.includes(this.region)) this.region = this.session?.region ?? ''
    this.live = new Live(`/v1/live?${this.inRegion}`, {
      onSnapshot: (frame) => {
        this.positions.clear()
        this.take(frame)
        this.hasSnapshot = true
        // Only now: what happens from here on is told, so nothing can fall between the lists and the stream.
        void this.readCouriers()
        void this.readOrders()
        void this.readAlerts()
      },
      onDelta: (frame) => this.take(frame),
      onEvent: (subject, event) => this.happened(subject, event),
      onConnection: (connection, asOf) => {
        this.connection = connection
        this.asOf = asOf
      },
      onReset: () => this.routeVersion++,
      onSignedOut: () => this.signedOut(),
    })
  }

  private get inRegion(): string {
    return this.region ? `region=${encodeURIComponent(this.region)}` : ''
  }

  /** Look at another region: forget this one, read that one. */
  setRegion(region: string): void {
    this.region = region
    this.select(null)
    this.hasSnapshot = false
    this.empty()
    this.writeAddress()
    this.open()
  }

  private empty(): void {
    for (const map of [this.couriers, this.positions, this.trails]) map.clear()
    this.orders = null
    this.alerts = []
    this.changed()
  }

  private take(frame: Frame): void {
    this.offsetMs = Date.parse(frame.at) - Date.now()
    let isStrange = false
    for (const position of frame.positions) {
      this.positions.set(position.courier_id, position)
      isStrange ||= !this.couriers.has(position.courier_id)
      const at = Date.parse(position.fixed_at)
      const trail = this.trails.get(position.courier_id) ?? []
      if (!trail.length || at > trail.at(-1)!.at) trail.push({ lat: position.lat, lon: position.lon, at })
      while (trail.length && trail[0]!.at < at - TRAIL_MS) trail.shift()
      this.trails.set(position.courier_id, trail)
    }
    for (const id of frame.gone ?? []) this.positions.delete(id)
    if (isStrange) this.later('couriers', 500, () => this.readCouriers())
    this.changed()
  }

  private changed(): void {
    cancelAnimationFrame(this.frame)
    // A hidden page gets no animation frames, and needs none.
    this.frame = requestAnimationFrame(() => this.version++)
  }

  private happened(subject: string, event: Record<string, unknown> & { type: string }): void {
    const orderId = event.order_id
    if (typeof orderId === 'string') {
      this.staleOrders.add(orderId)
      this.changedMeanwhile.add(orderId)
      this.later('orders', 400, () => this.readStaleOrders())
    }
    if (event.type === 'fence.changed') this.fenceVersion++
    if (subject === 'alert') this.later('alerts', 300, () => this.readAlerts())
    if (subject === 'courier') {
      if (event.deleted === true) {
        this.couriers.delete(String(event.courier_id))
        this.positions.delete(String(event.courier_id))
        this.changed()
      } else this.later('couriers', 500, () => this.readCouriers())
    }
    const isOfSelected = event.courier_id === undefined || event.courier_id === this.courierId
    if (this.courierId && isOfSelected && ['route', 'order', 'plan'].includes(subject))
      this.later('route', 400, async () => void this.routeVersion++)
  }

  /** Runs `work` once for many calls within the pause. */
  private later(name: string, pauseMs: number, work: () => Promise<void>): void {
    if (this.waiting.has(name)) return
    this.waiting.set(
      name,
      setTimeout(() => {
        this.waiting.delete(name)
        void work().catch(() => undefined)
      }, pauseMs),
    )
  }

  async readCouriers(): Promise<void> {
    const couriers = await api.all<Courier>(`/v1/couriers?limit=1000&${this.inRegion}`).catch(() => null)
    if (!couriers) return
    this.couriers.clear()
    for (const courier of couriers) this.couriers.set(courier.id, courier)
    this.changed()
  }

  /** All that is open, and what was closed lately. */
  async readOrders(): Promise<void> {
    this.changedMeanwhile.clear()
    try {
      const [open, closed] = await Promise.all([
        api.all<Order>(`/v1/orders?limit=1000&${this.inRegion}&${stateQuery(OPEN_STATES)}`, 5000),
        api.get<{ items: Order[] }>(`/v1/orders?limit=200&${this.inRegion}&${stateQuery(CLOSED_STATES)}`),
      ])
      this.orders = new Map([...open, ...closed.items].map((order) => [order.id, order]))
      this.changed()
      for (const id of this.changedMeanwhile) this.staleOrders.add(id)
      await this.readStaleOrders()
    } catch (error) {
      if (!(error instanceof api.Problem && error.status === 404)) this.later('all orders', 5000, () => this.readOrders())
    }
  }

  /** Orders that are not in memory, old ones mostly. */
  async searchOrders(text: string): Promise<void> {
    if (!this.orders || text.trim().length < 3) return
    const found = await api.get<{ items: Order[] }>(`/v1/orders?limit=50&q=${encodeURIComponent(text.trim())}`)
    this.orders = new Map([...this.orders, ...found.items.map((order) => [order.id, order] as const)])
  }

  /** One order again, because we changed it or do not know it. */
  async readOrder(id: string): Promise<void> {
    this.staleOrders.add(id)
    await this.readStaleOrders()
  }

  private async readStaleOrders(): Promise<void> {
    if (!this.orders) return
    const ids = [...this.staleOrders]
    this.staleOrders.clear()
    if (!ids.length) return
    if (ids.length > 40) return this.readOrders()
    const fetched = await Promise.all(ids.map((id) => api.find<Order>(`/v1/orders/${id}`).catch(() => null)))
    const orders = new Map(this.orders)
    for (const order of fetched) if (order) orders.set(order.id, order)
    // The map keeps its order of insertion: the oldest closed ones go first.
    let nClosed = [...orders.values()].filter((order) => CLOSED_STATES.includes(order.state)).length
    for (const order of orders.values()) {
      if (nClosed <= MOST_CLOSED) break
      if (CLOSED_STATES.includes(order.state) && order.id !== this.orderId) {
        orders.delete(order.id)
        nClosed--
      }
    }
    this.orders = orders
    this.changed()
  }

  async readAlerts(): Promise<void> {
    const page = await api.find<{ items: Alert[] }>(`/v1/alerts?state=open&limit=500&${this.inRegion}`).catch(() => null)
    if (!page) return
    this.hasAlerts = true
    this.alerts = page.items
    const fresh = page.items.filter((alert) => !alert.resolved_at && !this.knownAlerts.has(alert.id))
    if (this.knownAlerts.size && fresh.length) {
      const first = fresh[0]!
      const more = fresh.length > 1 ? ` and ${fresh.length - 1} more` : ''
      this.announcement = `Alert: ${first.kind.replaceAll('_', ' ')}, ${this.nameOf(first.courier_id)}${more}`
    }
    this.knownAlerts = new Set(page.items.map((alert) => alert.id))
    this.changed()
  }

  nameOf(courierId: string | null | undefined): string {
    if (!courierId) return 'nobody'
    return this.couriers.get(courierId)?.name || shortId(courierId)
  }

  private makeRows(now: number): Row[] {
    const load = new Map<string, number>()
    for (const order of this.orders?.values() ?? [])
      if (order.courier_id && OPEN_STATES.includes(order.state))
        load.set(order.courier_id, (load.get(order.courier_id) ?? 0) + 1)
    const trouble = new Map<string, State>()
    for (const alert of this.alerts) {
      if (!alert.courier_id || alert.resolved_at) continue
      if (STUCK_KINDS.has(alert.kind)) trouble.set(alert.courier_id, 'stuck')
      else if (LATE_KINDS.has(alert.kind) && trouble.get(alert.courier_id) !== 'stuck')
        trouble.set(alert.courier_id, 'late')
    }
    const ids = new Set([...this.couriers.keys(), ...this.positions.keys()])
    return [...ids].map((id) => {
      const courier = this.couriers.get(id) ?? null
      const position = this.positions.get(id) ?? null
      const ageS = position ? Math.max(0, (now - Date.parse(position.fixed_at)) / 1000) : Infinity
      const nOrders = load.get(id) ?? 0
      return {
        id,
        name: courier?.name || courier?.external_id || shortId(id),
        courier,
        position,
        ageS,
        nOrders,
        state: trouble.get(id) ?? this.presence(ageS, nOrders),
      }
    })
  }

  private presence(ageS: number, nOrders: number): State {
    if (ageS >= (this.config?.stale_within_s ?? 600)) return 'offline'
    if (ageS >= (this.config?.online_within_s ?? 60)) return 'stale'
    return nOrders ? 'busy' : 'online'
  }

  select(courierId: string | null): void {
    if (courierId !== this.courierId) this.follows = false
    this.courierId = courierId
    this.orderId = null
    this.writeAddress()
  }

  selectOrder(orderId: string | null): void {
    this.orderId = orderId
    const courierId = orderId ? this.orders?.get(orderId)?.courier_id : null
    if (courierId) this.courierId = courierId
    this.writeAddress()
  }

  setFilter(change: Partial<Filter>): void {
    this.filter = { ...this.filter, ...change }
    this.writeAddress()
  }

  setTab(tab: Tab): void {
    this.tab = tab
    this.writeAddress()
  }

  private readAddress(): void {
    const query = new URLSearchParams(location.search)
    this.filter = fromQuery(query)
    this.region = query.get('region') ?? this.region
    const tab = query.get('tab')
    this.tab = tab === 'orders' || tab === 'alerts' ? tab : 'couriers'
    this.courierId = query.get('courier')
    this.orderId = query.get('order')
    this.follows = query.has('follow') && this.courierId !== null
  }

  writeAddress(): void {
    const query = new URLSearchParams(location.search)
    intoQuery(this.filter, query)
    const put = (name: string, value: string | null) => (value ? query.set(name, value) : query.delete(name))
    put('tab', this.tab === 'couriers' ? null : this.tab)
    put('region', this.region && this.region !== this.session?.region ? this.region : null)
    put('courier', this.courierId)
    put('order', this.orderId)
    put('follow', this.follows ? '1' : null)
    const text = query.toString()
    history.replaceState(null, '', `${location.pathname}${text ? `?${text}` : ''}${location.hash}`)
  }
}
