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
  /** When the last fix was measured, in milliseconds; -Infinity when there never was one. */
  seenAt: number
  state: State
  nOrders: number
}

/** Seconds since the last fix; Infinity when there never was one. */
export const ageOf = ({ seenAt }: Row, now: number): number => Math.max(0, (now - seenAt) / 1000)

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

export const byName = new Intl.Collator(undefined, { numeric: true }).compare

export interface Listing {
  rows: Row[]
  /** How many there would be of each state, whatever states are chosen: what the buttons show. */
  states: Map<State, number>
  modes: Map<Mode, number>
}

/** The rows come by name, and are sorted no more than they must: there may be thousands, and they change each second. */
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
  return { rows: sorted(listed, filter.sort), states, modes }
}

function sorted(byName: Row[], sort: Sort): Row[] {
  if (sort === 'name') return byName
  // Two who were never seen stay by name, too: what is as old as the other is not taken apart.
  if (sort === 'age') return byName.sort((a, b) => (a.seenAt === b.seenAt ? 0 : b.seenAt - a.seenAt))
  const heaps = new Map<State, Row[]>(STATES.map((state) => [state, []]))
  for (const row of byName) heaps.get(row.state)!.push(row)
  return [...heaps.values()].flat()
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
