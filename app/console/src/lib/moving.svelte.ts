/** An order on its way to a courier: dragged with its price in sight, or chosen from a list. */

import { board as said } from '../words/board'
import * as api from './api'
import { changesOfOthers, isConflict, textOf } from './conflict'
import { age, shortId, time } from './format'
import type { Store } from './store.svelte'
import type { Candidates, Order } from './types'

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
    { text: one.reasons.map((reason) => reason.text).join('; ') || one.text, isBad: true, isRefused: true },
  ])
  return new Map([...fitting, ...others])
}

export class Moving {
  /** What is being dragged. */
  order = $state.raw<Order | null>(null)
  place = $state.raw({ x: 0, y: 0 })
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
    return `${name} → ${this.store.lists.nameOf(this.over)}: ${this.prices.get(this.over)?.text ?? (this.problem || said.weighing)}`
  }

  ask(order: Order): void {
    if (this.store.session.can('support')) this.asked = { order, courierId: '', error: '', isMeant: false }
  }

  grab(event: PointerEvent, order: Order): void {
    if (event.pointerType === 'touch' || event.button !== 0 || !this.store.session.can('support')) return
    const start = { x: event.clientX, y: event.clientY }
    const move = (now: PointerEvent) => {
      if (!this.order && Math.hypot(now.clientX - start.x, now.clientY - start.y) < STARTS_PX) return
      if (!this.order) this.begin(order)
      this.place = { x: now.clientX, y: now.clientY }
      this.over = document.elementFromPoint(now.clientX, now.clientY)?.closest<HTMLElement>('[data-drop]')?.dataset.drop ?? null
    }
    const end = (now: Event) => {
      for (const [name, listener] of listeners) removeEventListener(name, listener as EventListener, true)
      const [dragged, over] = [this.order, this.over]
      this.order = this.over = null
      if (!dragged) return
      // What was dragged was not clicked.
      const swallow = (click: Event) => click.stopPropagation()
      addEventListener('click', swallow, { capture: true, once: true })
      setTimeout(() => removeEventListener('click', swallow, true))
      if (now.type === 'pointerup' && over && over !== dragged.courier_id) void this.drop(dragged, over)
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
