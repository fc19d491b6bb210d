import { expect, it } from 'vitest'
import { addressOf, stopsOfOrder, stopsOfRoute } from '../src/lib/stops'
import type { Order, Route } from '../src/lib/types'

const place = { lat: 41, lon: -8.6 }
const stop = (order_id: string, kind: string, state: string) => ({ order_id, kind, state, ...place })
const order = (id: string, state: string): Order => ({
  id,
  state,
  region: 'porto',
  version: 1,
  pickup: place,
  dropoff: place,
  placed_at: '2026-01-01T08:00:00Z',
})
const route: Route = {
  courier_id: 'anna',
  version: 1,
  stops: [stop('a', 'dropoff', 'picked_up'), stop('b', 'pickup', 'accepted'), stop('b', 'dropoff', 'accepted')],
}
const shown = (orders: Order[]) =>
  stopsOfRoute(route, new Map(orders.map((known) => [known.id, known]))).map(
    (found) => `${found.number} ${found.kind} ${found.order_id}${found.isDone ? ' done' : ''}`,
  )

it('a drop-off is to be made while its order is on board', () => {
  expect(shown([])).toEqual(['1 dropoff a', '2 pickup b', '3 dropoff b'])
})

it('a stop that was made since the route was read is done and keeps its number', () => {
  expect(shown([order('a', 'delivered'), order('b', 'picked_up')])).toEqual([
    '1 dropoff a done',
    '2 pickup b done',
    '3 dropoff b',
  ])
})

it('an order that nobody has shows both of its ends', () => {
  expect(stopsOfOrder(order('c', 'placed')).map((found) => [found.number, found.kind, found.isDone])).toEqual([
    [1, 'pickup', false],
    [2, 'dropoff', false],
  ])
})

it('a stop says where it is, and what comes back goes where it is taken back', () => {
  const addressed = { ...order('a', 'picked_up'), pickup: { ...place, address: 'Kitchen' }, dropoff: { ...place, address: 'Door' } }
  const [collect, deliver] = stopsOfOrder(addressed)
  expect([addressOf(collect!, addressed), addressOf(deliver!, addressed)]).toEqual(['Kitchen', 'Door'])
  const returning = { ...addressed, state: 'returning', returns_to: { ...place, address: 'Store' } } as Order
  expect(addressOf(deliver!, returning)).toBe('Store')
  expect(addressOf(deliver!, order('b', 'placed'))).toBe('')
})
