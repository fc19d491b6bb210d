/** Couriers, orders and alerts of the region, as the API lists them; read again when the stream says that they changed. */

import * as api from './api'
import { Watch } from './alerts'
import { shortId } from './format'
import { Later, Single } from './later'
import { CLOSED_STATES, isClosed, OPEN_STATES } from './orders'
import type { Alert, Courier, Order } from './types'
import type { Page } from './undescribed'
import { alerts as said } from '../words/alerts'
import { lists as words } from '../words/lists'

const MOST_CLOSED = 400
/** More changed orders than this are read as a list. */
const MOST_SINGLE = 40
/** The stream brings changed orders by itself; what it does not bring within so long is asked for. */
const ROWS_WITHIN_MS = 4000
/** Somebody whom the list of couriers does not know is asked for once in so long. */
const STRANGERS_EVERY_MS = 30_000
const MOST_STRANGERS = 10_000
const stateQuery = (states: string[]) => states.map((state) => `state=${state}`).join('&')

export interface Surroundings {
  /** The region as part of a query. */
  inRegion(): string
  /** An order that is looked at stays, however long ago it was closed. */
  isOpened(orderId: string): boolean
  now(): number
  /** Something began to need somebody. */
  alarm(what: string, who: string): void
}

export class Lists {
  couriers = $state.raw<ReadonlyMap<string, Courier>>(new Map())
  /** Null until they are read. */
  orders = $state.raw<ReadonlyMap<string, Order> | null>(null)
  alerts = $state.raw<Alert[]>([])
  hasAlerts = $state(false)
  /** What the server found last, by what no list here has: a phone number, a comment, an order long closed. */
  found = $state.raw<{ text: string; ids: ReadonlySet<string> }>({ text: '', ids: new Set() })
  readonly everyOrder: Order[] = $derived([...(this.orders?.values() ?? [])])
  readonly openAlerts: Alert[] = $derived(this.alerts.filter((alert) => !alert.resolved_at))

  /** Orders that will be late, or might be. */
  readonly lateOrders: ReadonlySet<string> = $derived(
    new Set(this.openAlerts.flatMap(({ kind, order_id }) => (kind === 'late' || kind === 'late_risk' ? (order_id ?? []) : []))),
  )

  private readonly later = new Later()
  private readonly staleOrders = new Set<string>()
  /** Orders that changed while the list was being read: what was read of them may be old. */
  private readonly changedMeanwhile = new Set<string>()
  /** What the stream brought of orders while the list was being read. */
  private readonly broughtMeanwhile = new Map<string, Order>()
  /** When somebody unknown was last asked for. */
  private readonly asked = new Map<string, number>()
  private readonly reading = { couriers: new Single(), orders: new Single(), alerts: new Single() }
  private readonly watch = new Watch()

  constructor(private readonly around: Surroundings) {}

  readAll(): void {
    void this.readCouriers()
    void this.readOrders()
    void this.readAlerts()
  }

  empty(): void {
    this.couriers = new Map()
    this.orders = null
    this.alerts = []
    this.asked.clear()
    this.broughtMeanwhile.clear()
    this.watch.forget()
  }

  couriersChanged(): void {
    this.later.run('couriers', 500, () => this.readCouriers())
  }

  /** Seen on the map and in no list: new, or of a list that is being read; who stays unknown is not asked for each second. */
  strangersSeen(ids: readonly string[]): void {
    if (this.reading.couriers.isUnderWay) return
    const now = this.around.now()
    const fresh = ids.filter((id) => now - (this.asked.get(id) ?? -Infinity) > STRANGERS_EVERY_MS)
    if (!fresh.length) return
    if (this.asked.size > MOST_STRANGERS) this.asked.clear()
    for (const id of fresh) this.asked.set(id, now)
    this.couriersChanged()
  }

  alertsChanged(): void {
    this.later.run('alerts', 300, () => this.readAlerts())
  }

  orderChanged(id: string): void {
    this.staleOrders.add(id)
    this.changedMeanwhile.add(id)
    this.later.run('orders', ROWS_WITHIN_MS, () => this.readStaleOrders())
  }

  /** Orders as they are now, from the stream. */
  ordersBrought(brought: readonly Order[]): void {
    for (const order of brought) this.broughtMeanwhile.set(order.id, order)
    if (this.orders) this.put(brought)
  }

  forgetCourier(id: string): void {
    const couriers = new Map(this.couriers)
    couriers.delete(id)
    this.couriers = couriers
  }

  readCouriers(): Promise<void> {
    return this.reading.couriers.run(async () => {
      const region = this.around.inRegion()
      const couriers = await api.all<Courier>(`/v1/couriers?limit=1000&${region}`).catch(() => null)
      if (couriers && region === this.around.inRegion()) this.couriers = new Map(couriers.map((courier) => [courier.id, courier]))
    })
  }

  /** All that is open, and what was closed lately. */
  readOrders(): Promise<void> {
    return this.reading.orders.run(() => this.readEveryOrder())
  }

  private async readEveryOrder(): Promise<void> {
    this.changedMeanwhile.clear()
    this.broughtMeanwhile.clear()
    const region = this.around.inRegion()
    try {
      const [open, closed] = await Promise.all([
        api.all<Order>(`/v1/orders?limit=1000&${region}&${stateQuery(OPEN_STATES)}`, 5000),
        api.get<Page<Order>>(`/v1/orders?limit=200&${region}&${stateQuery(CLOSED_STATES)}`),
      ])
      if (region !== this.around.inRegion()) return
      this.orders = new Map([...open, ...closed.items].map((order) => [order.id, order]))
      this.put([...this.broughtMeanwhile.values()])
      for (const id of this.changedMeanwhile) if (!this.broughtMeanwhile.has(id)) this.staleOrders.add(id)
      await this.readStaleOrders()
    } catch (error) {
      if (error instanceof api.Problem && error.status === 404) return
      this.later.run('all orders', 5000, () => this.readOrders())
    }
  }

  /** Orders that are not in memory, old ones mostly. */
  async searchOrders(text: string): Promise<void> {
    if (!this.orders || text.trim().length < 3) return
    const found = await api.get<Page<Order>>(`/v1/orders?limit=50&q=${encodeURIComponent(text.trim())}`)
    this.orders = new Map([...this.orders, ...found.items.map((order) => [order.id, order] as const)])
    this.found = { text: text.trim(), ids: new Set(found.items.map((order) => order.id)) }
  }

  /** Orders that the search finds, here or on the server. */
  matching(text: string): Order[] {
    const needle = text.trim().toLowerCase()
    if (!needle) return this.everyOrder
    const ids = this.found.text === text.trim() ? this.found.ids : new Set<string>()
    return this.everyOrder.filter(
      (order) =>
        ids.has(order.id) ||
        [order.id, order.external_id, order.customer_id, order.pickup.address, order.dropoff.address, this.nameOf(order.courier_id)].some((one) =>
          one?.toLowerCase().includes(needle),
        ),
    )
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
    // Not waited for: it may be the reading itself that asks.
    if (ids.length > MOST_SINGLE) return void this.readOrders()
    const fetched = await Promise.all(ids.map((id) => api.find<Order>(`/v1/orders/${id}`).catch(() => null)))
    this.put(fetched.filter((order) => order !== null))
  }

  /** Into the list, where they are not known in a newer version. */
  private put(changed: readonly Order[]): void {
    const orders = new Map(this.orders)
    for (const order of changed) {
      this.staleOrders.delete(order.id)
      if ((orders.get(order.id)?.version ?? 0) <= order.version) orders.set(order.id, order)
    }
    // The map keeps its order of insertion: the oldest closed ones go first.
    let nClosed = [...orders.values()].filter(isClosed).length
    for (const order of orders.values()) {
      if (nClosed <= MOST_CLOSED) break
      if (isClosed(order) && !this.around.isOpened(order.id)) {
        orders.delete(order.id)
        nClosed--
      }
    }
    this.orders = orders
  }

  readAlerts(): Promise<void> {
    return this.reading.alerts.run(() => this.readOpenAlerts())
  }

  private async readOpenAlerts(): Promise<void> {
    const region = this.around.inRegion()
    const page = await api.find<Page<Alert>>(`/v1/alerts?state=open&limit=500&${region}`).catch(() => null)
    if (!page || region !== this.around.inRegion()) return
    this.hasAlerts = true
    this.alerts = page.items
    this.watchAlerts()
  }

  /** Tells what began to need somebody: also what comes back from its rest, of which no event tells. */
  watchAlerts(): void {
    if (!this.hasAlerts) return
    const fresh = this.watch.look(this.openAlerts, this.around.now())
    if (!fresh.length) return
    const [first] = fresh as [Alert]
    const more = fresh.length > 1 ? said.andMore(fresh.length - 1) : ''
    this.around.alarm(said.title[first.kind], this.nameOf(first.courier_id) + more)
  }

  nameOf(courierId: string | null | undefined): string {
    if (!courierId) return words.nobody
    return this.couriers.get(courierId)?.name || shortId(courierId)
  }
}
