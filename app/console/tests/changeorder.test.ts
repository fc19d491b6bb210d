import { afterEach, beforeEach, expect, it } from 'vitest'
import { canChange, changesOf, endsToChange, sheetOf, undoing } from '../src/lib/changeorder'
import { locale } from '../src/lib/locale.svelte'
import type { Order } from '../src/lib/types'

const order = {
  id: 'o',
  kind: 'delivery',
  state: 'accepted',
  version: 3,
  pickup: { lat: 41.1, lon: -8.6, address: 'Kitchen' },
  dropoff: { lat: 41.2, lon: -8.7, address: 'Door', window: { from: '2036-07-01T11:00:30Z', to: '2036-07-01T12:00:30Z', hard: true } },
} as unknown as Order

beforeEach(() => locale.setZone('Europe/Lisbon'))
afterEach(() => locale.setZone('UTC'))

it('what is as it was is no change, and a place that is missing is none yet', () => {
  const sheet = sheetOf(order)
  expect([sheet.from, sheet.to]).toEqual(['2036-07-01T12:00', '2036-07-01T13:00'])
  expect(changesOf(order, sheet)).toBeNull()
  expect(changesOf(order, { ...sheet, to: '2036-07-01T14:00', dropoff: { ...sheet.dropoff, at: null } })).toBeNull()
})

it('only what is another is sent, the other time with its seconds, and can be taken back', () => {
  const sheet = sheetOf(order)
  const elsewhere = changesOf(order, { ...sheet, dropoff: { ...sheet.dropoff, address: 'Gate', at: { lat: 41.3, lon: -8.7 } } })!
  expect(elsewhere).toEqual({ dropoff: { lat: 41.3, lon: -8.7, address: 'Gate' } })
  expect(undoing(order, elsewhere)).toEqual({ dropoff: { lat: 41.2, lon: -8.7, address: 'Door' } })
  const figures = changesOf(order, { ...sheet, dropoff: { ...sheet.dropoff, address: '41.3, -8.7', at: { lat: 41.3, lon: -8.7 } } })!
  expect(figures).toEqual({ dropoff: { lat: 41.3, lon: -8.7, address: null } })
  const later = changesOf(order, { ...sheet, to: '2036-07-01T14:30' })!
  expect(later).toEqual({ dropoff: { window: { from: '2036-07-01T11:00:30Z', to: '2036-07-01T13:30:00.000Z', hard: true } } })
  expect(undoing(order, later).dropoff!.window).toEqual(order.dropoff.window)
  expect(changesOf(order, { ...sheet, from: '', to: '' })).toEqual({ dropoff: { window: null } })
})

it('what was collected is not collected elsewhere, and what is over is not changed', () => {
  const onBoard = { ...order, state: 'picked_up' } as Order
  expect([endsToChange(order), endsToChange(onBoard)]).toEqual([['pickup', 'dropoff'], ['dropoff']])
  expect(changesOf(onBoard, { ...sheetOf(order), pickup: { ...sheetOf(order).pickup, address: 'x' } })).toBeNull()
  expect([canChange(order), canChange(onBoard), canChange({ ...order, state: 'delivered' } as Order)]).toEqual([true, true, false])
})
