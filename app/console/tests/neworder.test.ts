import { expect, it } from 'vitest'
import { emptySheet, local, orderOf } from '../src/lib/neworder'

const now = Date.parse('2026-05-04T12:00:00Z')
const at = { lat: 41.15, lon: -8.61 }

it('an order says what was written down, and nothing that was not', () => {
  const sheet = emptySheet()
  sheet.pickup.at = at
  sheet.dropoff = { address: ' Door 2 ', at, name: '', phone: '+351 2', instructions: '' }
  expect(orderOf(sheet, '', now)).toEqual({
    pickup: at,
    dropoff: { ...at, address: 'Door 2', contact: { phone: '+351 2' } },
    priority: 0,
  })
  Object.assign(sheet, { reference: 'W-1', readyInMin: 20, to: local(now + 3_600_000), units: '3', priority: '50' })
  expect(orderOf(sheet, 'porto', now)).toMatchObject({
    region: 'porto',
    external_id: 'W-1',
    ready_at: '2026-05-04T12:20:00.000Z',
    dropoff: { window: { to: '2026-05-04T13:00:00.000Z' } },
    size: { units: 3 },
    priority: 50,
  })
})
