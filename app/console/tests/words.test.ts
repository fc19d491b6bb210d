import { afterEach, expect, it } from 'vitest'
import { catalogue, CATALOGUES, english, number, russian } from '../src/lib/catalogue'
import { clock, distance, time } from '../src/lib/format'
import { locale } from '../src/lib/locale.svelte'
import { instant, local } from '../src/lib/neworder'
import { instantOf, known, wallTime } from '../src/lib/zone'
import { lists } from '../src/words/lists'

const views = import.meta.glob<Record<string, object>>('../src/words/*.ts', { eager: true })

afterEach(() => {
  locale.speak('en')
  locale.setZone('UTC')
})

/** "tabs.orders" and so on, with what is said there. */
function sentences(said: object, path = ''): [string, string | ((...args: never[]) => string)][] {
  return Object.entries(said).flatMap(([name, one]) =>
    typeof one === 'object' ? sentences(one, `${path}${name}.`) : [[path + name, one] as [string, string]],
  )
}

it('everything that the page says is said in both languages, and not in English twice', () => {
  expect(CATALOGUES).toHaveLength(Object.values(views).flatMap((view) => Object.values(view)).length)
  for (const { en, ru } of CATALOGUES) {
    const [english, russian] = [sentences(en), sentences(ru)]
    expect(russian.map(([name]) => name).sort()).toEqual(english.map(([name]) => name).sort())
    for (const [name, said] of russian) {
      const source = String(said)
      expect(source.trim(), name).not.toBe('')
      if (typeof said === 'string' && /[A-Za-z]{3}/.test(said)) expect(said, name).toMatch(/[а-яё]/i)
      expect(typeof said, name).toBe(typeof english.find(([other]) => other === name)![1])
    }
  }
})

it('a sentence follows the language, with its plural and its numbers', () => {
  expect([1, 3, 5, 21].map((n) => lists.orders(n))).toEqual(['1 order', '3 orders', '5 orders', '21 orders'])
  const once = catalogue({ one: 'one' }, { one: 'один' })
  locale.speak('ru')
  expect(once.one).toBe('один')
  expect([1, 3, 5, 11, 21].map((n) => lists.orders(n))).toEqual(['1 заказ', '3 заказа', '5 заказов', '11 заказов', '21 заказ'])
  expect([english(2, 'a', 'b'), russian(2, 'а', 'б', 'в')]).toEqual(['2 b', '2 б'])
  expect([number(1234.5, 1).replaceAll(/\s/g, ' '), distance(1234)]).toEqual(['1 234,5', '1,2 км'])
  CATALOGUES.pop()
})

it('times are the region’s, wherever the viewer is', () => {
  const at = Date.parse('2026-05-04T12:00:00Z')
  expect([time(at, at), clock(at)]).toEqual(['12:00', '12:00:00'])
  locale.setZone('Asia/Tokyo')
  expect([time(at, at), clock(at), locale.differs(at)]).toEqual(['21:00', '21:00:00', true])
  expect(local(at)).toBe('2026-05-04T21:00')
  expect(instant('2026-05-04T21:00')).toBe('2026-05-04T12:00:00.000Z')
  expect(time(Date.parse('2026-05-04T15:00:00Z'), at)).toBe('00:00')
})

it.each(['UTC', 'Europe/Lisbon', 'America/St_Johns', 'Asia/Tokyo', 'Australia/Lord_Howe', 'Asia/Kathmandu'])(
  'what is written down in %s is read as it was meant, on days when the clocks change too',
  (zone) => {
    const days = ['03-07', '03-08', '03-28', '03-29', '04-04', '04-05', '10-03', '10-04', '10-24', '10-25', '11-01']
    for (const at of days.flatMap((day) => Array.from({ length: 48 }, (_, i) => Date.parse(`2026-${day}T00:00:00Z`) + i * 1_800_000))) {
      const wall = wallTime(at, zone)
      const read = instantOf(wall, zone)
      expect(wallTime(read, zone)).toBe(wall)
      // Of an hour that is there twice the first is meant.
      expect([0, 1_800_000, 3_600_000]).toContain(at - read)
    }
  },
)

it('of an hour that the clocks skip the later one is meant, and a zone that nobody knows is the viewer’s own', () => {
  expect(new Date(instantOf('2026-03-29T01:30', 'Europe/Lisbon')).toISOString()).toBe('2026-03-29T01:30:00.000Z')
  expect(known('Mars/Olympus')).toBe(known(undefined))
})
