/** A courier as written down in a form, and as the API takes it. */

import { placeIn } from './picking.svelte'
import type { Courier, Mode } from './types'

export interface CourierSheet {
  name: string
  mode: Mode
  phone: string
  reference: string
  maxOrders: string
  units: string
  kg: string
  litres: string
  /** Separated by commas. */
  skills: string
  /** "latitude, longitude"; empty: none. */
  home: string
  rangeKm: string
}

/** Stands for "any number of" before a dimension that is bounded. */
const ANY = 1_000_000
const GRAMS = 1000

export const emptyCourier = (): CourierSheet => ({
  name: '',
  mode: 'bicycle',
  phone: '',
  reference: '',
  maxOrders: '4',
  units: '',
  kg: '',
  litres: '',
  skills: '',
  home: '',
  rangeKm: '',
})

const bound = (value: number | undefined, per: number) => (value === undefined || value === ANY ? '' : String(value / per))

export function sheetOf(courier: Courier): CourierSheet {
  const { attributes, home, capacity } = courier
  return {
    name: courier.name,
    mode: courier.mode,
    phone: typeof attributes.phone === 'string' ? attributes.phone : '',
    reference: courier.external_id ?? '',
    maxOrders: String(courier.max_orders),
    units: bound(capacity[0], 1),
    kg: bound(capacity[1], GRAMS),
    litres: bound(capacity[2], GRAMS),
    skills: courier.skills.join(', '),
    home: home ? `${home.lat}, ${home.lon}` : '',
    rangeKm: courier.range_m ? String(courier.range_m / 1000) : '',
  }
}

function capacityOf({ units, kg, litres }: CourierSheet): number[] {
  const given = [Number(units), Math.round(Number(kg) * GRAMS), Math.round(Number(litres) * GRAMS)]
  while (given.length && !given.at(-1)) given.pop()
  return given.map((value) => value || ANY)
}

/** The API's fields; of a known courier's attributes only the phone is another. */
export function bodyOf(sheet: CourierSheet, before?: Courier) {
  const { phone: _, ...attributes } = before?.attributes ?? {}
  return {
    name: sheet.name.trim(),
    mode: sheet.mode,
    external_id: sheet.reference.trim() || null,
    max_orders: Number(sheet.maxOrders) || 1,
    capacity: capacityOf(sheet),
    skills: sheet.skills.split(',').map((skill) => skill.trim()).filter(Boolean),
    home: placeIn(sheet.home),
    range_m: Math.round(Number(sheet.rangeKm) * 1000) || null,
    attributes: { ...attributes, ...(sheet.phone.trim() && { phone: sheet.phone.trim() }) },
  }
}
