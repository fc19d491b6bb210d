import { expect, it } from 'vitest'
import type { Order, Preview } from '../src/lib/types'
import { waysOf } from '../src/lib/whatif'
import type { Row } from '../src/lib/filter'
import { couriers, oldness, orders, routes } from '../src/map/features'

const NOON = Date.parse('2026-05-04T12:00:00Z')
const [A, B, C] = [{ lat: 1, lon: 1 }, { lat: 2, lon: 2 }, { lat: 3, lon: 3 }]
const order = (id: string, state: string, facts: Partial<Order> = {}) => ({ id, state, pickup: A, dropoff: B, ...facts }) as Order

it('an open order stands on the map at the ends that are still to be visited, by what it needs', () => {
  const late = { dropoff: { ...B, window: { to: '2026-05-04T11:00:00Z' } } } as Partial<Order>
  const list = [order('a', 'placed'), order('b', 'picked_up', { courier_id: 'eva' }), order('c', 'delivered'), order('d', 'accepted', { courier_id: 'eva', ...late })]
  expect(orders(list, NOON).features.map(({ properties }) => [properties!.order_id, properties!.icon])).toEqual([
    ['a', 'order-pickup-unassigned'],
    ['a', 'order-dropoff-unassigned'],
    ['b', 'order-dropoff-onBoard'],
    ['d', 'order-pickup-late'],
    ['d', 'order-dropoff-late'],
  ])
})

it('all routes are drawn and the chosen one stands out', () => {
  const drawn = routes([['eva', [A, B]], ['rui', [B, C]], ['ana', [A]]], 'rui').features
  expect(drawn.map(({ properties }) => properties)).toEqual([
    { id: 'eva', chosen: false },
    { id: 'rui', chosen: true },
  ])
})

it('an order that fares differently goes from its courier before, and from another after', () => {
  const preview = {
    orders: [{ order_id: 'a', now: { courier_id: 'eva', pickup_at: '2026-05-04T12:10:00Z' }, then: { courier_id: 'rui', pickup_at: '2026-05-04T12:20:00Z' } }],
  } as Preview
  const known = new Map([['a', order('a', 'accepted')]])
  const places = new Map([['eva', C]])
  expect(waysOf(preview, false, known, (id) => places.get(id))).toEqual([{ after: false, points: [C, A, B] }])
  expect(waysOf(preview, true, known, (id) => places.get(id))).toEqual([{ after: true, points: [A, B] }])
})

it('a courier who has not moved is no other feature each second, and one who has is', () => {
  const row = (fixed_at: string): Row =>
    ({ id: 'eva', name: 'Eva', state: 'online', seenAt: NOON, position: { lat: 1, lon: 2, fixed_at, course_deg: 90, speed_mps: 5 } }) as Row
  const eva = row('2026-05-04T12:00:00Z')
  const signs = (of: Row, now: number) => [...couriers([of], null, now)].flatMap((one) => one.signs)
  expect(signs(eva, NOON + 1000)).toEqual(signs(eva, NOON + 9000))
  expect(signs(eva, NOON + 1000)).not.toEqual(signs(eva, NOON + 11_000))
  expect(signs(eva, NOON)[0]).not.toBe(signs(row('2026-05-04T12:00:05Z'), NOON)[0])
  expect([0, 9.9, 10, 59, 61].map(oldness)).toEqual(['', '', '10 s', '50 s', '1 min'])
})
