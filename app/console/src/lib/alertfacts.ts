/** What an alert has seen, in people's words: numbers with their units, instants, and what the server names by a code. */

import { alertFacts as said } from '../words/alertfacts'
import { age, clock, distance, percent, speed, words } from './format'
import type { Alert } from './types'

export interface Fact {
  text: string
  /** As the server has it, in English: nobody here knows how to say it. */
  isForeign: boolean
}

const MOST = 4
const LONGEST = 40
const INSTANT = /^\d{4}-\d\d-\d\dT/
/** What grows while the alert is open: since when each of them counts. */
const SINCE: Readonly<Record<string, string>> = { late_s: 'promised_at', silent_s: 'last_contact_at', fix_age_s: 'last_fix_at' }
const UNITS: [string, (value: number) => string][] = [
  ['_s', age],
  ['_mps', speed],
  ['_m', distance],
  ['_pct', percent],
]

const known = (table: Readonly<Record<string, string>>, name: string): string | undefined => (Object.hasOwn(table, name) ? table[name] : undefined)

/** Numbers, instants and short words; ids are left to the links. */
export function factsOf({ facts, expected }: Pick<Alert, 'facts' | 'expected'>, now: number): Fact[] {
  const since = (name: string): number => Date.parse(String({ ...expected, ...facts }[SINCE[name] ?? '']))
  return Object.entries(facts)
    .map(([name, value]) => [name, since(name) <= now ? (now - since(name)) / 1000 : value] as const)
    .filter(([name, value]) => !name.endsWith('_id') && (typeof value === 'number' || (typeof value === 'string' && value !== '' && value.length < LONGEST)))
    .slice(0, MOST)
    .map(([name, value]) => fact(name, value as string | number))
}

function fact(name: string, value: string | number): Fact {
  const isInstant = typeof value === 'string' && INSTANT.test(value)
  const unit = typeof value === 'number' ? UNITS.find(([end]) => name.endsWith(end)) : undefined
  const bare = unit ? name.slice(0, -unit[0].length) : isInstant ? name.replace(/_at$/, '') : name
  const [what, how] = [known(said.names, bare), typeof value === 'string' && !isInstant ? known(said.values, value) : measured(value, unit?.[1])]
  return { text: `${what ?? words(bare)} ${how ?? value}`, isForeign: what === undefined || how === undefined }
}

function measured(value: string | number, unit: ((value: number) => string) | undefined): string {
  if (typeof value === 'string') return clock(value)
  return unit ? unit(value) : String(Math.round(value * 10) / 10)
}
