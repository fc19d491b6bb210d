import { afterEach, expect, it } from 'vitest'
import { factsOf } from '../src/lib/alertfacts'
import { heaps, needsSomebody, Watch } from '../src/lib/alerts'
import { locale } from '../src/lib/locale.svelte'
import type { Alert } from '../src/lib/types'

afterEach(() => {
  locale.speak('en')
  locale.setZone('UTC')
})

const now = Date.parse('2026-05-04T12:00:00Z')
const alert = (id: string, over: Partial<Alert> = {}) =>
  ({ id, kind: 'late', raised_at: '2026-05-04T11:00:00Z', acknowledged_at: null, snoozed_until: null, resolved_at: null, ...over }) as Alert

it('an alert that rests needs nobody, and comes back by itself', () => {
  const resting = alert('a', { snoozed_until: '2026-05-04T12:05:00Z' })
  expect(needsSomebody(resting, now)).toBe(false)
  expect(needsSomebody(resting, now + 300_000)).toBe(true)
  const watch = new Watch()
  expect(watch.look([resting, alert('b')], now)).toEqual([]) // the first look tells nothing
  expect(watch.look([resting, alert('b'), alert('c')], now).map(({ id }) => id)).toEqual(['c'])
  expect(watch.look([resting, alert('b'), alert('c')], now + 300_000).map(({ id }) => id)).toEqual(['a'])
  expect(watch.look([resting, alert('b'), alert('c')], now + 301_000)).toEqual([])
})

it('alerts lie in heaps by kind: what needs somebody first, then the newest', () => {
  const list = [
    alert('old', { kind: 'stuck', raised_at: '2026-05-04T11:59:00Z', acknowledged_at: '2026-05-04T11:59:30Z' }),
    alert('late 1'),
    alert('late 2', { raised_at: '2026-05-04T11:30:00Z' }),
    alert('late 3', { raised_at: '2026-05-04T11:50:00Z', snoozed_until: '2026-05-04T13:00:00Z' }),
  ]
  expect(heaps(list, now).map(({ kind, alerts, nNeeding }) => [kind, alerts.map(({ id }) => id), nNeeding])).toEqual([
    ['late', ['late 2', 'late 1', 'late 3'], 2],
    ['stuck', ['old'], 0],
  ])
})

it('what an alert has seen is said in the viewer’s words, units and zone, and what nobody can say is marked as English', () => {
  const facts = { still_s: 600, to_nearest_stop_m: 1500, still_since_at: '2026-05-04T12:00:00Z', courier_id: 'x', speed_mps: 10 }
  locale.setZone('UTC')
  expect(factsOf({ facts, expected: {} }, now).map(({ text }) => text)).toEqual(['still for 10 min', 'to the nearest stop 1.5 km', 'since 12:00:00', 'speed 36 km/h'])
  locale.speak('ru')
  expect(factsOf({ facts, expected: {} }, now).map(({ text }) => text)).toEqual(['стоит 10 мин', 'до ближайшей остановки 1,5 км', 'с 12:00:00', 'скорость 36 км/ч'])
  expect(factsOf({ facts: { stop: 'dropoff', battery_pct: 7 }, expected: {} }, now).map(({ isForeign }) => isForeign)).toEqual([false, false])
  expect(factsOf({ facts: { cause: 'window is upside down', rotor: 3 }, expected: {} }, now)).toEqual([
    { text: 'причина window is upside down', isForeign: true },
    { text: 'Rotor 3', isForeign: true },
  ])
})

it('what grows while an alert is open is told as it is now', () => {
  const late = { facts: { late_s: 3, stop: 'dropoff' }, expected: { promised_at: '2026-05-04T11:50:00Z' } }
  expect(factsOf(late, now)[0]!.text).toBe('late by 10 min')
  const silent = { facts: { silent_s: 125, last_contact_at: '2026-05-04T11:55:00Z' }, expected: { contact_within_s: 120 } }
  expect(factsOf(silent, now)[0]!.text).toBe('silent for 5 min')
})
