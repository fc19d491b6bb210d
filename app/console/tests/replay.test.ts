import { expect, it } from 'vitest'
import { placeAt, spansOf, staysOf } from '../src/lib/replay'
import type { Segment } from '../src/lib/undescribed'

const MIN = 60_000
const fixes = [
  { lat: 41, lon: -8, at: 10 * MIN },
  { lat: 41.001, lon: -8, at: 11 * MIN },
  { lat: 41.001, lon: -8.01, at: 30 * MIN },
  { lat: 41.002, lon: -8.01, at: 31 * MIN },
]

it('between two fixes the courier was between their places, and in a gap nobody knows where', () => {
  expect(placeAt(fixes, 10.5 * MIN)).toMatchObject({ lat: expect.closeTo(41.0005, 7), lon: -8, seenAt: 10 * MIN })
  expect(placeAt(fixes, 31 * MIN)).toMatchObject({ lat: 41.002, seenAt: 31 * MIN })
  for (const unknown of [0, 9.9, 11.1, 29.9, 31.1, 60]) expect(placeAt(fixes, unknown * MIN), String(unknown)).toBeNull()
  expect(placeAt([], 0)).toBeNull()
})

it('the slider is marked with stays and gaps, cut at the hour', () => {
  const stay = { kind: 'stay', arrived_at: new Date(-5 * MIN).toISOString(), departed_at: new Date(5 * MIN).toISOString(), duration_s: 600, lat: 41, lon: -8, n_fixes: 9 }
  const going = { ...stay, arrived_at: new Date(50 * MIN).toISOString(), departed_at: null }
  const segments = [stay, going] as Segment[]
  expect(spansOf(fixes, segments, 0, 60 * MIN).map(({ kind, from, to }) => [kind, from / MIN, to / MIN])).toEqual([
    ['stay', 0, 5],
    ['stay', 50, 60],
    ['gap', 0, 10],
    ['gap', 11, 30],
    ['gap', 31, 60],
  ])
  expect(staysOf(segments).map(({ ended }) => ended)).toEqual([5 * MIN, null])
})
