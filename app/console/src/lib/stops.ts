/** The stops that the map and the panel show: one list, so that both have the same stops under the same numbers. */

import { CLOSED_STATES } from './orders'
import type { Eta, Order, Route } from './types'

export interface ShownStop {
  number: number
  order_id: string
  kind: string
  lat: number
  lon: number
  isDone: boolean
  eta?: Eta | null
}

/** A pickup is done once its order is on board, a drop-off once it is closed. */
const isDone = (kind: string, orderState: string) =>
  CLOSED_STATES.includes(orderState) || (kind === 'pickup' && ['picked_up', 'returning'].includes(orderState))

/** A stop's `state` is its order's when the route was read; `orders` may know better. */
export function stopsOfRoute(route: Route, orders: ReadonlyMap<string, Order> | null): ShownStop[] {
  return route.stops.map(({ order_id, kind, lat, lon, eta, state }, index) => ({
    number: index + 1,
    order_id,
    kind,
    lat,
    lon,
    eta,
    isDone: isDone(kind, state) || isDone(kind, orders?.get(order_id)?.state ?? state),
  }))
}

/** Where a stop is, in people's words: what comes back goes elsewhere than to its door. */
export function addressOf({ kind }: ShownStop, { pickup, dropoff, state, returns_to }: Order): string {
  const end = kind === 'pickup' ? pickup : state === 'returning' ? returns_to : dropoff
  return end?.address ?? ''
}

/** The ends that an order has. */
export const endsOf = ({ kind, depot }: Order): ('pickup' | 'dropoff')[] => {
  if (!kind || kind === 'delivery' || depot) return ['pickup', 'dropoff']
  return [kind === 'pickup' ? 'pickup' : 'dropoff']
}

/** The ends of an order, while it is on nobody's route. */
export function stopsOfOrder(order: Order): ShownStop[] {
  const { id, state } = order
  return endsOf(order).map((kind) => ({ kind, ...order[kind] })).map(({ kind, lat, lon }, index) => ({
    number: index + 1,
    order_id: id,
    kind,
    lat,
    lon,
    isDone: isDone(kind, state),
  }))
}
