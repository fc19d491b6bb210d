/** Codes and sentences of the server in people's words; what another release says and we do not know is shown as it is. */

import { why } from '../words/why'
import { words } from './format'

const found = (table: Readonly<Record<string, string>>, name: string): string | undefined => (Object.hasOwn(table, name) ? table[name] : undefined)

/** What speaks against a courier, or why nobody has an order. */
export const objection = ({ code, text }: { code: string; text: string }): string => found(why.objection, code) ?? text

/** What a reader of an arrival must know, and why it moved. */
export const arrival = (note: string): string => found(why.arrival, note) ?? words(note)

/** `ready_at, skills` as people name them; `dropoff.address` by its beginning. */
export const fields = (names: readonly unknown[]): string =>
  [...new Set(names.map((name) => found(why.field, String(name).split('.')[0]!) ?? words(String(name)).toLowerCase()))].join(', ')

const CHANGED = /^changed: (.+)$/

/** A reason of an order's history: a person's own words stay, the program's are put into the viewer's. */
export function reason(text: string | null | undefined): string {
  if (!text) return ''
  const names = CHANGED.exec(text)?.[1]
  if (names) return why.changed(fields(names.split(', ')))
  return found(why.machine, text) ?? text
}
