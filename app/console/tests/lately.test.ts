import { expect, it } from 'vitest'
import { isTold, words } from '../src/lib/lately'

const placed = (version: number) => ({ type: 'order.placed', at: '2026-05-04T12:00:00Z', order_id: 'a', version })

it('an order is ordered once, however often it waits for a courier again', () => {
  expect([1, 2, 5].map((version) => words(placed(version), undefined))).toEqual(['was ordered', 'waits for a courier again', 'waits for a courier again'])
})

it('who did it is told where somebody has the order', () => {
  const event = { type: 'order.delivered', at: '2026-05-04T12:00:00Z', order_id: 'a' }
  expect(words(event, 'Ada')).toBe('was delivered by Ada')
  expect(words(event, undefined)).toBe('was delivered')
  expect(words(placed(1), 'Ada')).toBe('was ordered')
})

it('only what happens to orders is told', () => {
  expect(isTold(placed(1))).toBe(true)
  expect(isTold({ type: 'order.placed', at: '2026-05-04T12:00:00Z' })).toBe(false)
  expect(isTold({ type: 'courier.changed', at: '2026-05-04T12:00:00Z', order_id: 'a' })).toBe(false)
})
