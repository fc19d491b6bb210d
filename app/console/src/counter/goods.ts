/** What there is of the place's goods, as the page tells it. */

import type { components } from '../lib/openapi'

export type Goods = components['schemas']['StockOfItem']

/** As people write it: 3, 1.25 kg, 0.5 L. */
export function amount(quantity: number, unit: Goods['unit'], language: string): string {
  if (unit === 'piece') return new Intl.NumberFormat(language).format(quantity)
  const how = { style: 'unit', unit: unit === 'g' ? 'kilogram' : 'liter', maximumFractionDigits: 3 } as const
  return new Intl.NumberFormat(language, how).format(quantity / 1000)
}

/** What has run out first, then by name. */
export function inOrder(goods: Goods[]): Goods[] {
  return goods.toSorted((a, b) => Number(a.available > 0) - Number(b.available > 0) || nameOf(a).localeCompare(nameOf(b)))
}

export function nameOf(goods: Goods): string {
  return goods.name || goods.item
}

/** How much is past its date, and nobody may get it. */
export function past(goods: Goods): number {
  return goods.batches.filter((batch) => !batch.is_good).reduce((sum, batch) => sum + batch.quantity, 0)
}

/** The day on which the next of it is past its date; null: none is. */
export function nextDay(goods: Goods): string | null {
  return goods.batches.find((batch) => batch.is_good)?.best_before ?? null
}

/** A date is the same day everywhere. */
export function dayOf(date: string, language: string): string {
  const how = { weekday: 'short', day: 'numeric', month: 'short', timeZone: 'UTC' } as const
  return new Intl.DateTimeFormat(language, how).format(new Date(date))
}

/** The same with its year. */
export function dateOf(date: string, language: string): string {
  return new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeZone: 'UTC' }).format(new Date(date))
}
