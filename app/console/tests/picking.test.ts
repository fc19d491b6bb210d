import { expect, it } from 'vitest'
import { Picking, placeIn } from '../src/lib/picking.svelte'

it.each([
  ['41.15, -8.61', { lat: 41.15, lon: -8.61 }],
  ['(41.15;-8.61)', { lat: 41.15, lon: -8.61 }],
  ['-33 -70', { lat: -33, lon: -70 }],
  ['91, 0', null],
  ['Rua das Flores 12', null],
  ['12', null],
])('%s is read as a place', (text, place) => expect(placeIn(text)).toEqual(place))

it('the next click answers who asked last, once', async () => {
  const picking = new Picking()
  const first = picking.ask('the pickup')
  const second = picking.ask('the drop-off')
  expect(picking.wanted).toBe('the drop-off')
  expect([picking.take({ lat: 1, lon: 2 }), picking.take({ lat: 3, lon: 4 })]).toEqual([true, false])
  expect(await Promise.all([first, second])).toEqual([null, { lat: 1, lon: 2 }])
  expect(picking.wanted).toBe(null)
})
