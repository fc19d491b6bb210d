/** The orders that are ticked in the list, to have one thing done to all of them. */

import type { Outcome } from './bulk'

export class Selection {
  ids = $state.raw<ReadonlySet<string>>(new Set())
  /** What became of the last ones; stays until it is read. */
  outcome = $state.raw<Outcome | null>(null)
  private anchor: string | null = null

  /** Ticks or unticks; with `isRange` everything from the one before to this one, in the order of the list. */
  toggle(id: string, listed: readonly string[], isRange: boolean): void {
    const ids = new Set(this.ids)
    const isOn = !ids.has(id)
    const [from, to] = [listed.indexOf(isRange ? (this.anchor ?? id) : id), listed.indexOf(id)]
    const range = from < 0 || to < 0 ? [id] : listed.slice(Math.min(from, to), Math.max(from, to) + 1)
    for (const one of range) {
      if (isOn) ids.add(one)
      else ids.delete(one)
    }
    this.anchor = id
    this.ids = ids
  }

  /** All that are listed; where all of them are ticked already, none. */
  toggleAll(listed: readonly string[]): void {
    const isAll = listed.every((id) => this.ids.has(id))
    const ids = new Set(this.ids)
    for (const id of listed) {
      if (isAll) ids.delete(id)
      else ids.add(id)
    }
    this.ids = ids
  }

  set(ids: Iterable<string>): void {
    this.ids = new Set(ids)
  }

  clear(): void {
    this.set([])
    this.anchor = null
  }
}
