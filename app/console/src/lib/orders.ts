/** The states of an order, as the page tells them apart. */

import { states } from '../words/states'
import { words } from './format'
import type { Order } from './types'

export const OPEN_STATES = ['placed', 'assigned', 'accepted', 'picked_up', 'returning']
export const CLOSED_STATES = ['delivered', 'cancelled', 'failed', 'returned']

export const isOpen = (order: Order) => OPEN_STATES.includes(order.state)
export const isClosed = (order: Order) => CLOSED_STATES.includes(order.state)

/** A state that the page has no words for yet reads as the API names it. */
export const stateWords = ({ state }: Order): string => (states.order as Record<string, string>)[state] ?? words(state)
