/** Which couriers are listed: a pure function of the rows and the filter, and the filter's place in the address. */

import type { Courier, Mode } from './types'
import type { Position } from './undescribed'

/** In the order of urgency, which is also the order of the list and of the legend. */
export const STATES = ['stuck', 'late', 'busy', 'online', 'stale', 'offline'] as const
export type State = (typeof STATES)[number]

export const MODES: Mode[] = ['car', 'motorcycle', 'bicycle', 'foot']

export interface Row {
  id: string
  name: string
  courier: Courier | null
  position: Position | null
  /** Of the last fix; Infinity when there never was one. */
  ageS: number
  state: State
  nOrders: number
}

export type Sort = 'state' | 'name' | 'age'

export interface Filter {
  text: string
  states: ReadonlySet<State>
  modes: ReadonlySet<Mode>
  sort: Sort
}

export const EVERYTHING: Filter = { text: '', states: new Set(), modes: new Set(), sort: 'state' }

function matchesText(row: Row, text: string): boolean {
  const needle = text.trim().toLowerCase()
  if (!needle) return true
  const courier = row.courier
  return [row.name, row.id, courier?.external_id ?? '', courier?.mode ?? ''].some((word) =>
    word.toLowerCase().includes(needle),
  )
}

const matchesState = (row: Row, filter: Filter) => filter.states.size === 0 || filter.states.has(row.state)
const matchesMode = (row: Row, filter: Filter) =>
  filter.modes.size === 0 || (row.courier !== null && filter.modes.has(row.courier.mode))

const byName = new Intl.Collator(undefined, { numeric: true }).compare
const urgency = new Map<State, number>(STATES.map((state, index) => [state, index]))

const ORDER: Record<Sort, (a: Row, b: Row) => number> = {
  state: (a, b) => urgency.get(a.state)! - urgency.get(b.state)! || byName(a.name, b.name),
  name: (a, b) => byName(a.name, b.name),
  age: (a, b) => (a.ageS === b.ageS ? byName(a.name, b.name) : a.ageS - b.ageS),
}

export interface Listing {
  rows: Row[]
  /** How many there would be of each state, whatever states are chosen: what the buttons show. */
  states: Map<State, number>
  modes: Map<Mode, number>
}

export function listing(rows: Iterable<Row>, filter: Filter): Listing {
  const states = new Map<State, number>()
  const modes = new Map<Mode, number>()
  const listed: Row[] = []
  for (const row of rows) {
    if (!matchesText(row, filter.text)) continue
    const [state, mode] = [matchesState(row, filter), matchesMode(row, filter)]
    if (mode) states.set(row.state, (states.get(row.state) ?? 0) + 1)
    if (state && row.courier) modes.set(row.courier.mode, (modes.get(row.courier.mode) ?? 0) + 1)
    if (state && mode) listed.push(row)
  }
  listed.sort(ORDER[filter.sort])
  return { rows: listed, states, modes }
}

function members<T extends string>(text: string | null, known: readonly T[]): Set<T> {
  const asked = (text ?? '').split(',')
  return new Set(known.filter((member) => asked.includes(member)))
}

export function fromQuery(query: URLSearchParams): Filter {
  const sort = query.get('sort')
  return {
    text: query.get('q') ?? '',
    states: members(query.get('state'), STATES),
    modes: members(query.get('mode'), MODES),
    sort: sort === 'name' || sort === 'age' ? sort : 'state',
  }
}

/** Writes the filter into the query, leaving out what is as usual, so that addresses stay short. */
export function intoQuery(filter: Filter, query: URLSearchParams): void {
  const put = (name: string, value: string) => (value ? query.set(name, value) : query.delete(name))
  put('q', filter.text.trim())
  put('state', [...filter.states].join(','))
  put('mode', [...filter.modes].join(','))
  put('sort', filter.sort === 'state' ? '' : filter.sort)
}

export function toggled<T>(set: ReadonlySet<T>, member: T): Set<T> {
  const next = new Set(set)
  if (!next.delete(member)) next.add(member)
  return next
}
