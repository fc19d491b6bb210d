/** The route and the day as they are once the server knows what was done: the page never waits for a network. */

import type { Action, Day, Offer, Route, Stop } from './shapes'

export interface ShownStop extends Stop {
  /** The courier said so. */
  hasArrived: boolean
}

const ENDS = new Set(['delivered', 'failed', 'returned', 'give_back'])

/**
 * The stops that are left; those of an order that is only offered (`taken`: unless that was taken) are the offer's.
 * A delivery that failed with the goods on board comes back by a stop the server will name.
 */
export function stopsAfter(
  route: Route | null,
  actions: readonly Action[],
  arrived: ReadonlySet<string>,
  taken: ReadonlySet<string> = new Set(),
): ShownStop[] {
  const of = (orderId: string) => actions.filter((action) => action.orderId === orderId)
  return (route?.stops ?? []).flatMap((stop) => {
    if (stop.state === 'assigned' && !taken.has(stop.order_id)) return []
    const done = of(stop.order_id).map((action) => action.what)
    if (done.some((what) => ENDS.has(what))) return []
    const isCollected = done.includes('picked_up')
    if (stop.kind === 'pickup' && isCollected) return []
    const state = isCollected ? 'picked_up' : stop.state === 'assigned' ? 'accepted' : stop.state
    return [{ ...stop, state, hasArrived: arrived.has(visitOf(stop)) }]
  })
}

export const visitOf = (stop: { order_id: string; kind: string }): string => `${stop.order_id} ${stop.kind}`

/** Offers that wait for an answer and have not run out. */
export function offersAfter(offers: readonly Offer[], actions: readonly Action[], now: number): Offer[] {
  const answered = new Set(actions.map((action) => action.offerId))
  return offers.filter((offer) => !answered.has(offer.id) && Date.parse(offer.expires_at) > now)
}

/** The orders of offers that were taken a moment ago; the offers themselves may be gone before the route says so. */
export function takenOrders(actions: readonly Action[]): Set<string> {
  return new Set(actions.filter(({ what }) => what === 'accept').flatMap(({ orderIds }) => orderIds ?? []))
}

/** Whether at work, and on a break, by what was pressed last. */
export function dutyAfter(day: Day | null, actions: readonly Action[]): { isOn: boolean; isOnBreak: boolean } {
  let isOn = day?.on_duty ?? false
  let isOnBreak = day?.break_until != null
  for (const { what } of actions) {
    if (what === 'on_duty' || what === 'off_duty') [isOn, isOnBreak] = [what === 'on_duty', false]
    if (what === 'break_start' || what === 'break_end') isOnBreak = what === 'break_start'
  }
  return { isOn, isOnBreak }
}
