/** The states of an order, as the page tells them apart. */

import { states } from '../words/states'
import { words } from './format'
import type { Order } from './types'

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

/** A state that the page has no words for yet reads as the API names it. */
export const stateWords = ({ state }: Order): string => (states.order as Record<string, string>)[state] ?? words(state)
