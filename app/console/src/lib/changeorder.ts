/** What a dispatcher changes of an order that is on its way: where to, and when; pure. */

import { emptyEnd, type End, instant, local } from './neworder'
import { placeIn } from './picking.svelte'
import { endsOf } from './stops'
import type { Order, OrderPatch, Place } from './types'

export interface ChangeSheet {
  pickup: End
  dropoff: End
  /** Of the drop-off, as `<input type="datetime-local">` writes them; empty for none. */
  from: string
  to: string
}

const ENDS = ['pickup', 'dropoff'] as const
const CHANGES = new Set<Order['state']>(['placed', 'assigned', 'accepted', 'picked_up'])

export const canChange = (order: Order): boolean => CHANGES.has(order.state)
/** What was collected already was collected where it was. */
export const endsToChange = (order: Order) => endsOf(order).filter((end) => end === 'dropoff' || order.state !== 'picked_up')

const wall = (at: string | null | undefined): string => (at ? local(Date.parse(at)) : '')
const endOf = ({ lat, lon, address }: Place): End => ({ ...emptyEnd(), address: address ?? '', at: { lat, lon } })

export const sheetOf = (order: Order): ChangeSheet => ({
  pickup: endOf(order.pickup),
  dropoff: endOf(order.dropoff),
  from: wall(order.dropoff.window?.from),
  to: wall(order.dropoff.window?.to),
})

/** As the API takes it: what is another than it was, and nothing else; null where nothing is, or a place is missing. */
export function changesOf(order: Order, sheet: ChangeSheet): OrderPatch | null {
  const ends = endsToChange(order)
  if (ends.some((end) => !sheet[end].at)) return null
  const found = ends.map((end) => [end, changed(order[end], sheet[end])] as const).filter(([, change]) => Object.keys(change).length > 0)
  const patch: OrderPatch = Object.fromEntries(found)
  if (ends.includes('dropoff')) {
    const before = sheetOf(order)
    if (sheet.from !== before.from || sheet.to !== before.to) patch.dropoff = { ...patch.dropoff, window: windowOf(order, sheet) }
  }
  return Object.keys(patch).length > 0 ? patch : null
}

/** What undoes it. */
export const undoing = (order: Order, patch: OrderPatch): OrderPatch =>
  Object.fromEntries(
    ENDS.filter((end) => patch[end]).map((end) => {
      const { lat, lon, address, window } = order[end]
      return [end, { lat, lon, address: address ?? null, ...('window' in patch[end]! && { window: window ?? null }) }]
    }),
  )

function changed(before: Place, { address, at }: End): NonNullable<OrderPatch['dropoff']> {
  const text = placeIn(address) ? '' : address.trim() // figures are the place itself
  return {
    ...((at!.lat !== before.lat || at!.lon !== before.lon) && at),
    ...(text !== (before.address ?? '') && { address: text || null }),
  }
}

/** Hard or not it stays; what was not touched keeps its seconds. */
function windowOf(order: Order, { from, to }: ChangeSheet) {
  const before = order.dropoff.window
  if (!from && !to) return null
  const kept = (text: string, known: string | null | undefined) => (text && text === wall(known) ? known! : instant(text))
  return { ...(from && { from: kept(from, before?.from) }), ...(to && { to: kept(to, before?.to) }), ...(before?.hard && { hard: true }) }
}
