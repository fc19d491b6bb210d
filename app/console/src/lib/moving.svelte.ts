/** An order on its way to a courier: dragged with its price in sight, or chosen from a list. */

import { board as said } from '../words/board'
import * as api from './api'
import { changesOfOthers, isConflict, textOf } from './conflict'
import { age, shortId, time } from './format'
import type { Store } from './store.svelte'
import { moved, type Visit } from './sequence'
import type { Candidates, Order, Route } from './types'
import { objection } from './why'

/** The mouse trembles; less is a click. */
const STARTS_PX = 6
const MOST = 500

export interface Price {
  text: string
  /** What speaks against it, or late: shown as a warning. */
  isBad: boolean
  /** The server will refuse it unless it is meant all the same. */
  isRefused: boolean
}

/** What an order would cost with each courier, in words. */
export function prices(weighed: Candidates, now: number): Map<string, Price> {
  const fitting = weighed.candidates.map((one): [string, Price] => {
    const late = one.late_s ? said.late(age(one.late_s)) : ''
    return [one.courier_id, { text: said.price(one.cost, time(one.dropoff_at, now)) + late, isBad: late !== '', isRefused: false }]
  })
  const others = weighed.excluded.map((one): [string, Price] => [
    one.courier_id,
    { text: one.reasons.map(objection).join('; ') || one.text, isBad: true, isRefused: true },
  ])
  return new Map([...fitting, ...others])
}

export class Moving {
  /** What is being dragged. */
  order = $state.raw<Order | null>(null)
  place = $state.raw({ x: 0, y: 0 })
  /** Which stop of its route is dragged, where it is on one. */
  private stop: Visit | null = null
  /** How the stops of the own route would follow each other, and what that is said to cost. */
  private wanted = $state.raw<Visit[] | null>(null)
  private sequencePrice = $state('')
  /** Over whose row. */
  over = $state<string | null>(null)
  private weighed = $state.raw<Candidates | null>(null)
  private problem = $state('')
  readonly prices: ReadonlyMap<string, Price> = $derived.by(() =>
    this.weighed ? prices(this.weighed, this.store.now) : new Map(),
  )
  /** Asked in a window: to whom, or whether in spite of what speaks against it. */
  asked = $state.raw<{ order: Order; courierId: string; error: string; isMeant: boolean } | null>(null)

  constructor(private readonly store: Store) {}

  /** What is said at the pointer. */
  get label(): string {
    if (!this.order) return ''
    const name = this.nameOf(this.order)
    if (!this.over) return name
    if (this.stop && this.over === this.order.courier_id) return `${name}: ${this.wanted ? this.sequencePrice || said.weighing : said.stays}`
    return `${name} → ${this.store.lists.nameOf(this.over)}: ${this.prices.get(this.over)?.text ?? (this.problem || said.weighing)}`
  }

  ask(order: Order): void {
    if (this.store.session.can('support')) this.asked = { order, courierId: '', error: '', isMeant: false }
  }

  /** `stop`: of a route, along which it may be dragged, too. */
  grab(event: PointerEvent, order: Order, stop: Visit | null = null): void {
    if (event.pointerType === 'touch' || event.button !== 0 || !this.store.session.can('support')) return
    const start = { x: event.clientX, y: event.clientY }
    const move = (now: PointerEvent) => {
      if (!this.order && Math.hypot(now.clientX - start.x, now.clientY - start.y) < STARTS_PX) return
      if (!this.order) this.begin(order)
      this.place = { x: now.clientX, y: now.clientY }
      const row = document.elementFromPoint(now.clientX, now.clientY)?.closest<HTMLElement>('[data-drop]')
      this.over = row?.dataset.drop ?? null
      this.stop = stop
      if (row && stop && this.over === order.courier_id) this.along(row, stop, now.clientX)
    }
    const end = (now: Event) => {
      for (const [name, listener] of listeners) removeEventListener(name, listener as EventListener, true)
      const [dragged, over] = [this.order, this.over]
      const wanted = this.wanted
      const price = this.sequencePrice
      this.order = this.over = this.wanted = null
      if (!dragged) return
      // What was dragged was not clicked.
      const swallow = (click: Event) => click.stopPropagation()
      addEventListener('click', swallow, { capture: true, once: true })
      setTimeout(() => removeEventListener('click', swallow, true))
      if (now.type !== 'pointerup' || !over) return
      if (over !== dragged.courier_id) void this.drop(dragged, over)
      else if (wanted) void this.reorder(over, wanted, price)
    }
    const key = (now: KeyboardEvent) => {
      if (now.key !== 'Escape') return
      now.stopPropagation()
      end(now)
    }
    const listeners = [
      ['pointermove', move],
      ['pointerup', end],
      ['pointercancel', end],
      ['keydown', key],
    ] as const
    for (const [name, listener] of listeners) addEventListener(name, listener as EventListener, true)
  }

  /** Between which of the other stops of its row it is held. */
  private along(row: HTMLElement, stop: Visit, x: number): void {
    const route = this.store.routes.byCourier.get(this.over!)
    if (!route) return
    const others = [...row.querySelectorAll<HTMLElement>('[data-stop]')].filter(
      (bar) => bar.dataset.stop !== stop.order_id || bar.dataset.kind !== stop.kind,
    )
    const to = others.filter((bar) => bar.getBoundingClientRect().left + bar.offsetWidth / 2 < x).length
    this.look(this.over!, stop, moved(route.stops, stop, to))
  }

  private look(courierId: string, stop: Visit, wanted: Visit[] | null): void {
    if (JSON.stringify(wanted) === JSON.stringify(this.wanted)) return
    this.wanted = wanted
    this.sequencePrice = ''
    if (!wanted) return
    this.price(courierId, stop, wanted)
      .catch(textOf)
      .then((price) => {
        if (this.wanted === wanted) this.sequencePrice = price
      })
  }

  private async price(courierId: string, stop: Visit, wanted: Visit[]): Promise<string> {
    const route = await this.sequence(courierId, wanted, '?preview=true')
    const there = route.stops.find((one) => one.order_id === stop.order_id && one.kind === stop.kind)?.eta?.p50
    return said.sequence(route.plan_cost?.difference ?? 0, there ? time(there, this.store.now) : '–')
  }

  private async sequence(courierId: string, stops: Visit[], query = ''): Promise<Route> {
    const version = this.store.routes.byCourier.get(courierId)?.version ?? 0
    return (await api.send<Route>('POST', `/v1/couriers/${courierId}/route/reorder${query}`, { stops, version }))!
  }

  /** One place earlier or later, by keys. */
  async shift(order: Order, stop: Visit, by: 1 | -1): Promise<void> {
    const route = this.store.routes.byCourier.get(order.courier_id ?? '')
    if (!route || !this.store.session.can('dispatcher')) return
    const at = route.stops.findIndex((one) => one.order_id === stop.order_id && one.kind === stop.kind)
    const wanted = at + by < 0 ? null : moved(route.stops, stop, at + by)
    if (!wanted) this.store.announcement = `${this.nameOf(order)}: ${said.stays}`
    else await this.reorder(route.courier_id, wanted, await this.price(route.courier_id, stop, wanted).catch(textOf))
  }

  private async reorder(courierId: string, wanted: Visit[], price: string): Promise<void> {
    const before = (this.store.routes.byCourier.get(courierId)?.stops ?? []).map(({ order_id, kind }) => ({ order_id, kind }))
    try {
      await this.sequence(courierId, wanted)
    } catch (problem) {
      this.store.undo.problem = textOf(problem)
      return
    } finally {
      await this.store.routes.read()
    }
    this.store.undo.after(said.reordered(this.store.lists.nameOf(courierId), price || said.weighing), async () => {
      await this.sequence(courierId, before)
      await this.store.routes.read()
    })
  }

  private begin(order: Order): void {
    this.order = order
    this.weighed = null
    this.problem = ''
    api
      .get<Candidates>(`/v1/orders/${order.id}/candidates?limit=${MOST}`)
      .then((answer) => {
        if (this.order?.id === order.id) this.weighed = answer
      })
      .catch((problem) => (this.problem = textOf(problem)))
  }

  /** As it was when it was taken up: if somebody has changed it since, the server shall refuse. */
  private async drop(order: Order, courierId: string): Promise<void> {
    const price = this.prices.get(courierId)
    if (price?.isRefused) this.asked = { order, courierId, error: price.text, isMeant: true }
    else await this.give(order, courierId, false)
  }

  /** To nobody: the dispatcher decides again. */
  async give(order: Order, courierId: string, force: boolean): Promise<void> {
    const path = `/v1/orders/${order.id}/${courierId ? 'reassign' : 'unassign'}`
    const sent = { reason: said.byHand, version: order.version, ...(courierId && { courier_id: courierId, force }) }
    try {
      await api.send('POST', path, sent)
    } catch (problem) {
      this.asked = await this.explained(problem, order, courierId)
      return
    }
    this.asked = null
    await this.store.lists.readOrder(order.id)
    this.store.routes.changed()
    // The bar that offers to undo it tells a screen reader, too.
    this.store.undo.after(said.given(this.nameOf(order), this.store.lists.nameOf(courierId || null)), () => this.giveBack(order))
  }

  private async giveBack({ id, courier_id: former, pinned }: Order): Promise<void> {
    const back = former ? { courier_id: former, force: true, pinned: !!pinned } : {}
    await api.send('POST', `/v1/orders/${id}/${former ? 'reassign' : 'unassign'}`, { reason: said.undone, ...back })
    await this.store.lists.readOrder(id)
    this.store.routes.changed()
  }

  private async explained(problem: unknown, order: Order, courierId: string): Promise<typeof this.asked> {
    const isUnsuitable = problem instanceof api.Problem && problem.code === 'courier-unsuitable'
    if (!isConflict(problem)) return { order, courierId, error: textOf(problem), isMeant: isUnsuitable }
    const changes = await changesOfOthers(this.store, order.id, order.version)
    await this.store.lists.readOrder(order.id)
    const now = this.store.lists.orders?.get(order.id) ?? order
    return { order: now, courierId, error: said.meanwhile(changes || textOf(problem)), isMeant: false }
  }

  nameOf(order: Order): string {
    return order.external_id || shortId(order.id)
  }
}
