/** The states of an order, as the page tells them apart. */

import { states } from '../words/states'
import { words } from './format'
import type { Order } from './types'

/** Which orders are listed. */
export const KINDS = ['open', 'unassigned', 'planned', 'late', 'closed'] as const
export type Kind = (typeof KINDS)[number]
export const SORTS = ['newest', 'due'] as const
export type Sort = (typeof SORTS)[number]

export const OPEN_STATES = ['placed', 'assigned', 'accepted', 'picked_up', 'returning']
export const CLOSED_STATES = ['delivered', 'cancelled', 'failed', 'returned']

export const isOpen = (order: Order) => OPEN_STATES.includes(order.state)
export const isClosed = (order: Order) => CLOSED_STATES.includes(order.state)

const SOON_MS = 3_600_000

/** Whether nobody has it, be it for now or for tomorrow. */
export const isWaiting = (order: Order) => isOpen(order) && !order.courier_id

/** Whether a courier is wanted for it by now or within the hour: what is placed for tomorrow is in nobody's way yet. */
export function needsCourier(order: Order, now: number): boolean {
  const from = order.pickup.window?.from ?? order.ready_at ?? order.placed_at
  return isWaiting(order) && Date.parse(from) <= now + SOON_MS
}

/** Whether the dispatcher has nobody in mind for it, either. */
export const needsPerson = (order: Order, now: number) => needsCourier(order, now) && !order.decision?.courier_id

/** `late`: those of which an alert says that they will be; `planned`: for whom the dispatcher has somebody in mind, and waits. */
export function isOf(kind: Kind, order: Order, late: ReadonlySet<string>, now: number): boolean {
  switch (kind) {
    case 'open':
      return isOpen(order)
    case 'unassigned':
      return needsPerson(order, now)
    case 'planned':
      return needsCourier(order, now) && !needsPerson(order, now)
    case 'late':
      return isOpen(order) && late.has(order.id)
    case 'closed':
      return !isOpen(order)
  }
}

/** By when it is promised at the door. */
export const promiseOf = ({ dropoff }: Order): string | null => dropoff.window?.to ?? dropoff.latest ?? null

/** The newest first, urgent ones before all; or what is promised soonest first, and what is promised for no time last. */
export function sorted(orders: readonly Order[], by: Sort): Order[] {
  const newer = (a: Order, b: Order) => b.placed_at.localeCompare(a.placed_at)
  if (by === 'newest') return orders.toSorted((a, b) => (b.priority ?? 0) - (a.priority ?? 0) || newer(a, b))
  const due = new Map(orders.map((order) => [order, Date.parse(promiseOf(order) ?? '') || Infinity]))
  return orders.toSorted((a, b) => (due.get(a) === due.get(b) ? newer(a, b) : due.get(a)! - due.get(b)!))
}

/** A state that the page has no words for yet reads as the API names it. */
export const stateWords = ({ state }: Order): string => (states.order as Record<string, string>)[state] ?? words(state)
