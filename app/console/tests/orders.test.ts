import { describe, expect, it } from 'vitest'

import { isWaiting, needsCourier, needsPerson } from '../src/lib/orders'
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
  })
})
