import { describe, expect, it } from 'vitest'
import { EVERYTHING, fromQuery, intoQuery, listing, toggled, type Row } from '../src/lib/filter'

const row = (name: string, state: Row['state'], mode: 'car' | 'foot', ageS = 5): Row => ({
  id: `id-${name}`,
  name,
  courier: {
    id: `id-${name}`,
    name,
    mode,
    region: 'porto',
    external_id: `ext-${name}`,
    capacity: [],
    skills: [],
    max_orders: 4, areas: [], home: null, partner: null, range_m: null,
    on_duty: true,
    attributes: {},
    version: 1,
    created_at: '2026-01-01T08:00:00Z',
    updated_at: '2026-01-01T08:00:00Z',
  },
  position: null,
  seenAt: 1_000_000 - 1000 * ageS,
  state,
  nOrders: 0,
})
const ROWS = [
  row('Anna', 'online', 'foot', 30),
  row('Berta', 'online', 'car', 9),
  row('Carl', 'stuck', 'foot', 2),
  row('Dora', 'offline', 'car', Infinity),
]
const names = (rows: Row[]) => rows.map((found) => found.name)

describe('the list of couriers', () => {
  it('puts the urgent first, then goes by name', () => {
    expect(names(listing(ROWS, EVERYTHING).rows)).toEqual(['Carl', 'Anna', 'Berta', 'Dora'])
  })

  it('finds by a part of the name or the external id, in any case', () => {
    expect(names(listing(ROWS, { ...EVERYTHING, text: ' ANN' }).rows)).toEqual(['Anna'])
    expect(names(listing(ROWS, { ...EVERYTHING, text: 'ext-d' }).rows)).toEqual(['Dora'])
  })

  it('counts every state as if none were chosen, so that a count says what a click would show', () => {
    const found = listing(ROWS, { ...EVERYTHING, states: new Set(['stuck']), modes: new Set(['foot']) })
    expect(names(found.rows)).toEqual(['Carl'])
    expect(Object.fromEntries(found.states)).toEqual({ online: 1, stuck: 1 })
    expect(Object.fromEntries(found.modes)).toEqual({ foot: 1 })
  })

  it('sorts by the newest fix, those without one last', () => {
    expect(names(listing(ROWS, { ...EVERYTHING, sort: 'age' }).rows)).toEqual(['Carl', 'Berta', 'Anna', 'Dora'])
  })
})

describe('the filter in the address', () => {
  it('comes back as it was', () => {
    const filter = {
      text: 'a&b',
      states: new Set(['late', 'stale'] as const),
      modes: new Set(['foot'] as const),
      sort: 'name' as const,
    }
    const query = new URLSearchParams('courier=7')
    intoQuery(filter, query)
    expect(fromQuery(new URLSearchParams(query.toString()))).toEqual(filter)
    expect(query.get('courier')).toBe('7')
  })

  it('leaves nothing behind when everything is shown, and ignores what it does not know', () => {
    const query = new URLSearchParams('q=x&state=late,nonsense')
    expect(fromQuery(query).states).toEqual(new Set(['late']))
    intoQuery(EVERYTHING, query)
    expect(query.toString()).toBe('')
  })

  it('toggles without changing the set it was given', () => {
    const before = new Set(['a'])
    expect([toggled(before, 'a'), toggled(before, 'b'), before]).toEqual([new Set(), new Set(['a', 'b']), new Set(['a'])])
  })
})
