/** The stops of a route in another order; all pure. */

import type { BoardStop } from './types'

export interface Visit {
  order_id: string
  kind: string
}

const same = (a: Visit, b: Visit) => a.order_id === b.order_id && a.kind === b.kind

/**
 * The route with one stop at another place, `to` counted among the others; null where that changes nothing or a drop-off
 * would come before its pickup.
 */
export function moved(stops: readonly BoardStop[], stop: Visit, to: number): Visit[] | null {
  const from = stops.findIndex((one) => same(one, stop))
  if (from < 0 || to === from) return null
  const rest = stops.filter((_, index) => index !== from)
  const wanted = [...rest.slice(0, to), stops[from]!, ...rest.slice(to)].map(({ order_id, kind }) => ({ order_id, kind }))
  const isPossible = wanted.every(
    ({ order_id, kind }, index) => kind !== 'pickup' || !wanted.slice(0, index).some((one) => one.order_id === order_id),
  )
  return isPossible && wanted.length === stops.length ? wanted : null
}
