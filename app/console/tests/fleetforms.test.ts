import { describe, expect, it } from 'vitest'
import { bodyOf, emptyCourier, sheetOf } from '../src/lib/courierform'
import { ruleOf } from '../src/lib/shiftform'
import type { Courier } from '../src/lib/types'

const COURIER = {
  name: 'Vera',
  mode: 'car',
  external_id: null,
  max_orders: 3,
  capacity: [1_000_000, 12_500],
  skills: ['cold box', 'cash'],
  home: { lat: 41.15, lon: -8.61 },
  range_m: 2500,
  attributes: { phone: '+351 900 000 001', badge: 7 },
} as unknown as Courier

describe('a courier in a form', () => {
  it('is the same after it was opened and saved', () => {
    const { name, mode, external_id, max_orders, capacity, skills, home, range_m, attributes } = COURIER
    expect(bodyOf(sheetOf(COURIER), COURIER)).toEqual({ name, mode, external_id, max_orders, capacity, skills, home, range_m, attributes })
  })
  it('has no bounds where nothing is written', () => {
    expect(bodyOf({ ...emptyCourier(), name: ' Ana ' })).toMatchObject({ name: 'Ana', capacity: [], skills: [], home: null, range_m: null, attributes: {} })
    expect(bodyOf({ ...emptyCourier(), litres: '2' }).capacity).toEqual([1_000_000, 1_000_000, 2000])
  })
  it('loses the phone that was taken out, and nothing else of what is known', () => {
    expect(bodyOf({ ...sheetOf(COURIER), phone: '' }, COURIER).attributes).toEqual({ badge: 7 })
  })
})

describe('a shift that repeats', () => {
  it('counts its days over the weeks, in the order of the week', () => {
    expect(ruleOf(['FR', 'MO'], 4)).toBe('FREQ=WEEKLY;BYDAY=MO,FR;COUNT=8')
    expect(ruleOf([], 4)).toBeNull()
  })
})
