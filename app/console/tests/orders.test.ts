import { describe, expect, it } from 'vitest'

import { isOf, isWaiting, KINDS, needsCourier, needsPerson, SORTS, sorted } from '../src/lib/orders'
import type { Order } from '../src/lib/types'

const NOW = Date.parse('2026-11-27T12:00:00Z')

const order = (facts: object): Order =>
  ({ state: 'placed', placed_at: '2026-11-27T09:00:00Z', pickup: {}, dropoff: {}, ...facts }) as Order

describe('an order needs a courier', () => {
  it.each([
    [order({}), true],
    [order({ state: 'assigned', courier_id: 'ada' }), false],
    [order({ state: 'cancelled' }), false],
    [order({ ready_at: '2026-11-27T12:45:00Z' }), true],
    [order({ ready_at: '2026-11-28T09:00:00Z' }), false],
    [order({ pickup: { window: { from: '2026-11-28T09:00:00Z' } }, ready_at: '2026-11-27T11:00:00Z' }), false],
  ])('%o: %s', (given, wanted) => expect(needsCourier(given, NOW)).toBe(wanted))

  it('and a person where the dispatcher has nobody in mind', () => {
    const planned = order({ decision: { courier_id: 'ada' } })
    const tomorrow = order({ ready_at: '2026-11-28T09:00:00Z' })
    expect([order({}), planned, tomorrow].map((one) => needsPerson(one, NOW))).toEqual([true, false, false])
    expect([order({}), planned, tomorrow].map(isWaiting)).toEqual([true, true, true])
    const of = (kind: (typeof KINDS)[number]) => [order({}), planned, tomorrow].map((one) => isOf(kind, one, new Set(), NOW))
    expect(of('unassigned')).toEqual([true, false, false])
    expect(of('planned')).toEqual([false, true, false])
  })
})

describe('the list of orders', () => {
  const given = order({ id: 'given', state: 'accepted', courier_id: 'ada', placed_at: '2026-11-27T10:00:00Z', dropoff: { latest: '2026-11-27T13:00:00Z' } })
  const urgent = order({ id: 'urgent', priority: 1 })
  const done = order({ id: 'done', state: 'delivered', courier_id: 'ada', dropoff: { window: { to: '2026-11-27T12:30:00+00:00' } } })
  const fresh = order({ id: 'fresh', placed_at: '2026-11-27T11:00:00Z' })
  const all = [given, urgent, done, fresh]
  const ids = (orders: Order[]) => orders.map(({ id }) => id)

  it('has each order where it belongs', () => {
    const late = new Set(['given', 'done'])
    expect(KINDS.map((kind) => ids(all.filter((one) => isOf(kind, one, late, NOW))))).toEqual([
      ['given', 'urgent', 'fresh'],
      ['urgent', 'fresh'],
      [],
      ['given'],
      ['done'],
    ])
  })

  it('begins with what is new or what is due, and leaves the given list as it is', () => {
    expect(SORTS.map((by) => ids(sorted(all, by)))).toEqual([
      ['urgent', 'fresh', 'given', 'done'],
      ['done', 'given', 'fresh', 'urgent'],
    ])
    expect(ids(all)).toEqual(['given', 'urgent', 'done', 'fresh'])
  })
})
