/** An order as it is written down, and as the API takes it. */

import { locale } from './locale.svelte'
import type { LatLon } from './picking.svelte'
import type { NewOrder } from './types'
import { instantOf, wallTime } from './zone'

export interface End {
  address: string
  at: LatLon | null
  name: string
  phone: string
  instructions: string
}

export interface Sheet {
  reference: string
  pickup: End
  dropoff: End
  /** Minutes from now until the goods are ready. */
  readyInMin: number
  /** Local times as `<input type="datetime-local">` writes them; empty for none. */
  from: string
  to: string
  units: string
  priority: string
}

export const emptyEnd = (): End => ({ address: '', at: null, name: '', phone: '', instructions: '' })
export const emptySheet = (): Sheet => ({
  reference: '',
  pickup: emptyEnd(),
  dropoff: emptyEnd(),
  readyInMin: 0,
  from: '',
  to: '',
  units: '',
  priority: '0',
})

/** Windows to choose from without writing: minutes from now. */
export const WINDOWS = [
  { name: 'half', from: 0, to: 30 },
  { name: 'hour', from: 0, to: 60 },
  { name: 'next', from: 60, to: 120 },
  { name: 'later', from: 120, to: 240 },
] as const

/** As `<input type="datetime-local">` wants it: in the region's time zone, as all times of the page. */
export const local = (at: number): string => wallTime(at, locale.zone)
/** The instant that such a field means, as the API writes it. */
export const instant = (wall: string): string => new Date(instantOf(wall, locale.zone)).toISOString()

function stopOf(end: End) {
  const contact = Object.fromEntries(Object.entries({ name: end.name.trim(), phone: end.phone.trim() }).filter(([, value]) => value))
  return {
    ...end.at!,
    ...(end.address.trim() && { address: end.address.trim() }),
    ...(end.instructions.trim() && { instructions: end.instructions.trim() }),
    ...(Object.keys(contact).length > 0 && { contact }),
  }
}

export function orderOf(sheet: Sheet, region: string, now: number): NewOrder {
  const window = { ...(sheet.from && { from: instant(sheet.from) }), ...(sheet.to && { to: instant(sheet.to) }) }
  return {
    pickup: stopOf(sheet.pickup),
    dropoff: { ...stopOf(sheet.dropoff), ...(Object.keys(window).length > 0 && { window }) },
    ...(region && { region }),
    ...(sheet.reference.trim() && { external_id: sheet.reference.trim() }),
    ...(sheet.readyInMin > 0 && { ready_at: new Date(now + sheet.readyInMin * 60_000).toISOString() }),
    ...(Number(sheet.units) > 0 && { size: { units: Number(sheet.units) } }),
    priority: Number(sheet.priority) || 0,
  }
}
