/** A shift as written down in a form, and as the API takes it. */

import { instant, local } from './neworder'

export const DAYS = ['MO', 'TU', 'WE', 'TH', 'FR', 'SA', 'SU'] as const
export type Day = (typeof DAYS)[number]

export interface ShiftSheet {
  /** Wall times of the region, as `<input type="datetime-local">` writes them. */
  from: string
  to: string
  hasBreak: boolean
  breakFrom: string
  breakTo: string
  breakMinutes: string
  /** None: once. */
  days: Day[]
  weeks: string
}

const HOUR_MS = 3_600_000

/** From the next full hour, for eight hours, with a break in the middle if one is wanted. */
export function emptyShift(now: number): ShiftSheet {
  const from = Math.ceil(now / HOUR_MS) * HOUR_MS
  return {
    from: local(from),
    to: local(from + 8 * HOUR_MS),
    hasBreak: false,
    breakFrom: local(from + 3 * HOUR_MS),
    breakTo: local(from + 5 * HOUR_MS),
    breakMinutes: '30',
    days: [],
    weeks: '4',
  }
}

/** Every week on those days, for so many weeks; null: once. */
export function ruleOf(days: readonly Day[], weeks: number): string | null {
  if (!days.length) return null
  const listed = DAYS.filter((day) => days.includes(day))
  return `FREQ=WEEKLY;BYDAY=${listed.join(',')};COUNT=${listed.length * Math.max(1, weeks)}`
}

export function shiftOf(sheet: ShiftSheet) {
  const pause = { from: instant(sheet.breakFrom), to: instant(sheet.breakTo), duration_s: Math.round(Number(sheet.breakMinutes) * 60) }
  const repeats = ruleOf(sheet.days, Math.round(Number(sheet.weeks)))
  return {
    starts_at: instant(sheet.from),
    ends_at: instant(sheet.to),
    ...(sheet.hasBreak && { breaks: [pause] }),
    ...(repeats && { repeats }),
  }
}
