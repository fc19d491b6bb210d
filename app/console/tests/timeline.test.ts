import { expect, it } from 'vitest'
import { BAR_PX, barsOf, lateBy, outside, type Scale, scaleOf, ticks, x } from '../src/lib/timeline'
import type { BoardStop } from '../src/lib/types'

const NOON = Date.parse('2026-05-04T12:00:00Z')
const MINUTE = 60_000
/** An hour on 600 pixels: ten a minute. */
const scale: Scale = { from: NOON, to: NOON + 60 * MINUTE, px: 600 }
const at = (minutes: number) => new Date(NOON + minutes * MINUTE).toISOString()
const stop = (minutes: number | null, facts: Partial<BoardStop> = {}) =>
  ({ order_id: 'a', kind: 'dropoff', lat: 0, lon: 0, arrives_at: minutes === null ? null : at(minutes), ...facts }) as BoardStop

it('the axis begins a little before now and its ticks are full steps of the clock', () => {
  const made = scaleOf(NOON, 4, 900)
  expect([made.from, made.to]).toEqual([NOON - 30 * MINUTE, NOON + 210 * MINUTE])
  expect(x(made, NOON)).toBeCloseTo(112.5)
  expect(ticks(made).every((tick) => tick % (30 * MINUTE) === 0)).toBe(true)
  expect(ticks(made).length).toBe(8)
})

it('a bar lasts from the arrival to the end of the service, waiting for the window to open', () => {
  const [bar] = barsOf([stop(10, { opens_at: at(20), service_s: 300 })], scale)
  expect([bar!.left, bar!.width]).toEqual([100, 150])
})

it('bars that lie close together stand beside each other, what is over stays in sight, what is beyond is left out', () => {
  const bars = barsOf([stop(-5), stop(0), stop(1), stop(null), stop(70)], scale)
  expect(bars.map(({ left, number }) => [left, number])).toEqual([0, 1, 2, 3].map((n) => [n * (BAR_PX + 1), n + 1]))
})

it('it is late when it begins after it was promised', () => {
  expect(lateBy(stop(10, { due_at: at(5) }))).toBe(5 * MINUTE)
  expect(lateBy(stop(1, { opens_at: at(9), due_at: at(5) }))).toBe(4 * MINUTE)
  expect([lateBy(stop(4, { due_at: at(5) })), lateBy(stop(null, { due_at: at(5) })), lateBy(stop(4))]).toEqual([0, 0, 0])
})

it('what lies outside of the shifts is told, and nothing where nobody has any', () => {
  const shift = (from: number, to: number) => ({ starts_at: at(from), ends_at: at(to) })
  expect(outside([shift(30, 50), shift(-60, 10)], scale)).toEqual([
    { left: 100, width: 200 },
    { left: 500, width: 100 },
  ])
  expect(outside([], scale)).toEqual([])
})
