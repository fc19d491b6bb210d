/** The states of an order, as the page tells them apart. */

import type { Order } from './types'

export const OPEN_STATES = ['placed', 'assigned', 'accepted', 'picked_up', 'returning']
export const CLOSED_STATES = ['delivered', 'cancelled', 'failed', 'returned']

export const isOpen = (order: Order) => OPEN_STATES.includes(order.state)
export const isClosed = (order: Order) => CLOSED_STATES.includes(order.state)
