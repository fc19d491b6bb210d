/** A past hour of a courier: pure. Instants are milliseconds. */

import { GAP_MS, type Fix } from '../map/shapes'
import type { Segment } from './undescribed'

export const HOUR_MS = 3_600_000
export const SPEEDS = [1, 5, 15, 60] as const

export interface Place {
  lat: number
  lon: number
  /** When the fix before it was measured. */
  seenAt: number
}

/** Where the courier was: on the line between two fixes; nowhere before the first, after the last, and in a gap. */
export function placeAt(fixes: readonly Fix[], at: number): Place | null {
  let [low, high] = [0, fixes.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (fixes[middle]!.at <= at) low = middle + 1
    else high = middle
  }
  const [before, after] = [fixes[low - 1], fixes[low]]
  if (!before) return null
  if (before.at === at || !after) return before.at === at ? { ...before, seenAt: at } : null
  if (after.at - before.at > GAP_MS) return null
  const part = (at - before.at) / (after.at - before.at)
  return {
    lat: before.lat + part * (after.lat - before.lat),
    lon: before.lon + part * (after.lon - before.lon),
    seenAt: before.at,
  }
}

export interface Span {
  kind: 'gap' | 'stay'
  from: number
  to: number
}

/** Stays, and what nobody knows, within the hour: what the slider is marked with. */
export function spansOf(fixes: readonly Fix[], segments: readonly Segment[], from: number, to: number): Span[] {
  const edges = [from, ...fixes.map(({ at }) => at), to]
  const gaps = edges.slice(1).flatMap((at, i): Span[] => (at - edges[i]! > GAP_MS ? [{ kind: 'gap', from: edges[i]!, to: at }] : []))
  const stays = staysOf(segments).map(({ began, ended }): Span => ({ kind: 'stay', from: Math.max(from, began), to: Math.min(to, ended ?? to) }))
  return [...stays, ...gaps].filter((span) => span.to > span.from)
}

export interface Stay {
  lat: number
  lon: number
  began: number
  /** Null while it goes on. */
  ended: number | null
  durationS: number
}

export const staysOf = (segments: readonly Segment[]): Stay[] =>
  segments.flatMap((one) =>
    one.kind === 'stay'
      ? { lat: one.lat, lon: one.lon, began: Date.parse(one.arrived_at), ended: one.departed_at ? Date.parse(one.departed_at) : null, durationS: one.duration_s }
      : [],
  )
