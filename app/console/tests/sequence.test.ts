import { expect, it } from 'vitest'
import { moved } from '../src/lib/sequence'
import type { BoardStop } from '../src/lib/types'

const stop = (text: string) => ({ order_id: text[0], kind: text[1] === 'p' ? 'pickup' : 'dropoff' }) as BoardStop
const route = ['ap', 'bp', 'ad', 'bd'].map(stop)
const text = (visits: ReturnType<typeof moved>) => visits?.map(({ order_id, kind }) => order_id + kind[0]).join(' ') ?? null

it('a stop goes to another place of its route', () => {
  expect(text(moved(route, stop('bd'), 2))).toBe('ap bp bd ad')
  expect(text(moved(route, stop('bp'), 0))).toBe('bp ap ad bd')
  expect(text(moved(route, stop('ad'), 3))).toBe('ap bp bd ad')
})

it('not before its pickup, not where it is already, and not where it is not any more', () => {
  expect(moved(route, stop('ad'), 0)).toBe(null)
  expect(moved(route, stop('ap'), 3)).toBe(null)
  expect(moved(route, stop('ap'), 0)).toBe(null)
  expect(moved(route, stop('cp'), 0)).toBe(null)
})
