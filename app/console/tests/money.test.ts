import { expect, test } from 'vitest'
import { money } from '../src/lib/money'

test('an amount has the digits of its currency', () => {
  expect(money(1250, 'EUR', 2)).toMatch(/12\.50/)
  expect(money(-5, 'EUR', 2)).toMatch(/-.*0\.05/)
  expect(money(1500, 'JPY', 0)).toMatch(/1,500/)
  expect(money(1500, 'KWD', 3)).toMatch(/1\.500/)
})
