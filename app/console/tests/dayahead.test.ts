import { expect, it } from 'vitest'
import { depotsWithWaves, questionOf } from '../src/lib/dayahead'
import type { Region } from '../src/lib/types'

const NOON = Date.parse('2026-06-01T12:00:00Z')

it('waves are offered of the depots that have some', () => {
  const places = [{ name: 'North', wave_every_s: 1800 }, { name: 'South' }, { name: 'East', wave_every_s: null }]
  expect(depotsWithWaves({ settings: { depots: { places } } } as unknown as Region)).toEqual(['North'])
  expect(depotsWithWaves({ settings: {} } as unknown as Region)).toEqual([])
  expect(depotsWithWaves(undefined)).toEqual([])
})

it('a day is asked for as a whole, and a wave from now on', () => {
  const day = questionOf('2026-06-01', 20, 'porto', '', NOON)
  expect(Date.parse(day.to) - Date.parse(day.from)).toBe(86_400_000)
  expect(day).toMatchObject({ seconds: 20, region: 'porto' })
  expect(day).not.toHaveProperty('wave')
  const wave = questionOf('2026-06-01', 20, '', 'North', NOON)
  expect(wave).toEqual({ from: new Date(NOON).toISOString(), to: day.to, seconds: 20, wave: { depot: 'North' } })
  expect(questionOf('2026-06-02', 20, '', 'North', NOON).from).toBe(day.to)
})
