/** A plan that is only thought of: what would be different, in words and on the map. */

import type { Changes, Difference, Order, Preview, Totals } from './types'

interface Point {
  lat: number
  lon: number
}

/** How an order goes from its courier over its two ends. */
export interface Way {
  after: boolean
  points: readonly Point[]
}

/** The figures of a plan in the order in which people look at them. */
export const FIGURES = ['n_unassigned', 'n_late', 'late_s', 'travel_s', 'n_orders', 'cost'] as const satisfies readonly (keyof Totals)[]
/** More is worse, of all but the number of orders. */
export const isWorse = (name: (typeof FIGURES)[number], by: number): boolean => name !== 'n_orders' && by > 0

export const isNothing = ({ cancel_orders, remove_couriers, assign }: Changes): boolean =>
  !cancel_orders?.length && !remove_couriers?.length && !assign?.length

/** Orders that somebody else would bring, or nobody, first; then by how much later they would be. */
export function byWeight(orders: readonly Difference[]): Difference[] {
  const lateness = ({ now, then }: Difference) => (then?.late_s ?? 0) - (now?.late_s ?? 0)
  const moves = ({ now, then }: Difference) => Number(now?.courier_id !== then?.courier_id)
  return orders.toSorted((a, b) => moves(b) - moves(a) || lateness(b) - lateness(a))
}

/** What the map draws of it: each order that fares differently, before or after. */
export function waysOf(
  preview: Preview,
  after: boolean,
  orders: ReadonlyMap<string, Order>,
  placeOf: (courierId: string) => Point | undefined,
): Way[] {
  return preview.orders.flatMap(({ order_id, now, then }) => {
    const [order, fate] = [orders.get(order_id), after ? then : now]
    if (!order || !fate?.courier_id) return []
    const from = placeOf(fate.courier_id)
    const ends = fate.pickup_at ? [order.pickup, order.dropoff] : [order.dropoff]
    return [{ after, points: from ? [from, ...ends] : ends }]
  })
}
