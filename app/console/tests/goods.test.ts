import { expect, test } from 'vitest'
import { amount, dayOf, inOrder, nextDay, past, type Goods } from '../src/counter/goods'

const batch = (quantity: number, best_before: string | null, is_good = true) => ({ lot: null, quantity, best_before, is_good })
const goods = (item: string, available: number, batches: Goods['batches'] = []): Goods => ({
  item_id: item, item, name: '', gtin: null, unit: 'piece', on_hand: available, reserved: 0, available, batches,
})

test('what has run out comes first, then names', () => {
  const given = [goods('b', 2), goods('c', 0), goods('a', 1)]
  expect(inOrder(given).map((one) => one.item)).toEqual(['c', 'a', 'b'])
  expect(given[0]!.item).toBe('b')
})

test('amounts are told in the unit people use', () => {
  expect(amount(12, 'piece', 'en')).toBe('12')
  expect(amount(1250, 'g', 'en')).toBe('1.25 kg')
  expect(amount(1250, 'g', 'ru')).toMatch(/^1,25\sкг$/)
  expect(amount(500, 'ml', 'en')).toBe('0.5 L')
})

test('what is past its date is told apart, and the next day that counts', () => {
  const some = goods('a', 3, [batch(2, '2026-11-20', false), batch(1, '2026-12-01'), batch(2, null)])
  expect(past(some)).toBe(2)
  expect(nextDay(some)).toBe('2026-12-01')
  expect(nextDay(goods('a', 0))).toBe(null)
  expect(dayOf('2026-12-01', 'en')).toBe('Tue, Dec 1')
})
