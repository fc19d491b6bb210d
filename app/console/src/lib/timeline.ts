/** Where things lie on the axis of time, in pixels; all pure. Instants are milliseconds since the Unix epoch. */

import type { BoardStop } from './types'

const MINUTE_MS = 60_000

export interface Scale {
  from: number
  to: number
  px: number
}

/** A bar is never narrower, so that it can be read and pressed. */
export const BAR_PX = 24
/** What lies before now is kept in sight for so much of the span. */
const PAST = 1 / 8

/** `hours` from a little before `now` on; moves in steps, for nothing needs to be drawn anew each second. */
export function scaleOf(now: number, hours: number, px: number): Scale {
  const span = hours * 60 * MINUTE_MS
  const from = Math.floor((now - span * PAST) / (MINUTE_MS / 4)) * (MINUTE_MS / 4)
  return { from, to: from + span, px }
}

export const x = ({ from, to, px }: Scale, at: number): number => ((at - from) / (to - from)) * px

/** Within the axis. */
export const clipped = (scale: Scale, at: number): number => Math.max(0, Math.min(scale.px, x(scale, at)))

/** Full steps of the clock, some 90 pixels apart. */
export function ticks(scale: Scale): number[] {
  const steps = [5, 10, 15, 30, 60, 120, 240].map((minutes) => minutes * MINUTE_MS)
  const step = steps.find((one) => (one / (scale.to - scale.from)) * scale.px >= 76) ?? steps.at(-1)!
  const first = Math.ceil(scale.from / step) * step
  return Array.from({ length: Math.max(0, Math.ceil((scale.to - first) / step)) }, (_, i) => first + i * step)
}

export interface Bar {
  stop: BoardStop
  /** Of the route, from 1. */
  number: number
  left: number
  width: number
  lateMs: number
  /** From when to when it was promised, as far as that lies on the axis. */
  window: { left: number; width: number } | null
  rest: { left: number; width: number } | null
}

const instant = (text: string | null | undefined) => (text ? Date.parse(text) : null)

export const lateBy = (stop: BoardStop): number => {
  const [arrives, due] = [instant(stop.arrives_at), instant(stop.due_at)]
  if (arrives === null || due === null) return 0
  return Math.max(0, Math.max(arrives, instant(stop.opens_at) ?? arrives) - due)
}

/** The stops of a route one after the other; those that nobody has reckoned yet follow the one before. */
export function barsOf(stops: readonly BoardStop[], scale: Scale): Bar[] {
  const bars: Bar[] = []
  let before = -Infinity
  for (const [index, stop] of stops.entries()) {
    const arrives = instant(stop.arrives_at)
    const at = arrives === null ? before + 1 : x(scale, arrives)
    const starts = arrives === null ? null : Math.max(arrives, instant(stop.opens_at) ?? arrives)
    const leaves = starts === null ? at : x(scale, starts + (stop.service_s ?? 0) * 1000)
    const left = Math.max(0, at, before + 1)
    const width = Math.max(BAR_PX, leaves - left)
    before = left + width
    bars.push({ stop, number: index + 1, left, width, lateMs: lateBy(stop), window: windowOf(stop, scale), rest: restOf(stop, scale) })
  }
  return bars.filter(({ left }) => left < scale.px)
}

function span(scale: Scale, from: number, to: number): { left: number; width: number } | null {
  const [left, right] = [clipped(scale, from), clipped(scale, to)]
  return right > left ? { left, width: right - left } : null
}

function windowOf({ opens_at, due_at }: BoardStop, scale: Scale) {
  const [opens, due] = [instant(opens_at), instant(due_at)]
  if (due === null) return null
  return span(scale, Math.max(opens ?? due - 30 * MINUTE_MS, scale.from), due)
}

function restOf({ break_at, break_s }: BoardStop, scale: Scale) {
  const at = instant(break_at)
  return at === null ? null : span(scale, at, at + (break_s ?? 0) * 1000)
}

/** What of the axis lies outside of every shift; nothing where there are none. */
export function outside(shifts: readonly { starts_at: string; ends_at: string }[], scale: Scale): { left: number; width: number }[] {
  if (!shifts.length) return []
  const gaps: { left: number; width: number }[] = []
  let free = scale.from
  for (const shift of shifts.toSorted((a, b) => a.starts_at.localeCompare(b.starts_at))) {
    const gap = span(scale, free, Date.parse(shift.starts_at))
    if (gap) gaps.push(gap)
    free = Math.max(free, Date.parse(shift.ends_at))
  }
  const rest = span(scale, free, scale.to)
  return rest ? [...gaps, rest] : gaps
}
