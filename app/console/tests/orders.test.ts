import { describe, expect, it } from 'vitest'

import { needsCourier } from '../src/lib/orders'
import type { Order } from '../src/lib/types'

const NOW = Date.parse('2026-11-27T12:00:00Z')

const order = (facts: object): Order =>
  ({ state: 'placed', placed_at: '2026-11-27T09:00:00Z', pickup: {}, dropoff: {}, ...facts }) as Order

describe('an order needs a courier', () => {
  it.each([
    [order({}), true],
    [order({ state: 'assigned' }), false],
    [order({ ready_at: '2026-11-27T12:45:00Z' }), true],
    [order({ ready_at: '2026-11-28T09:00:00Z' }), false],
    [order({ pickup: { window: { from: '2026-11-28T09:00:00Z' } }, ready_at: '2026-11-27T11:00:00Z' }), false],
  ])('%o: %s', (given, wanted) => expect(needsCourier(given, NOW)).toBe(wanted))
})
