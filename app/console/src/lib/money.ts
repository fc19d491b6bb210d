/** Amounts of money: whole minor units with how many digits the currency has after the point. */

import { locale } from './locale.svelte'

/** As the viewer writes it: "12.50 €". */
export function money(amount: number, currency: string, digits: number): string {
  return new Intl.NumberFormat(locale.tag, {
    style: 'currency',
    currency,
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  }).format(amount / 10 ** digits)
}
