/** Alerts as people look after them: which need somebody now, and in which heaps they lie. Pure. */

import type { Alert, AlertKind } from './types'

/** While it rests nobody need look; afterwards it is as any other, by itself. */
export const isSnoozed = (alert: Alert, now: number): boolean => alert.snoozed_until !== null && Date.parse(alert.snoozed_until) > now

/** Nobody has said yet that they look after it, and it does not rest. */
export const needsSomebody = (alert: Alert, now: number): boolean => !alert.acknowledged_at && !alert.resolved_at && !isSnoozed(alert, now)

export interface Heap {
  kind: AlertKind
  alerts: Alert[]
  nNeeding: number
}

/** By kind; first what needs somebody, then what came last. */
export function heaps(alerts: readonly Alert[], now: number): Heap[] {
  const found = new Map<AlertKind, Alert[]>()
  const sorted = [...alerts].sort(
    (a, b) => Number(needsSomebody(b, now)) - Number(needsSomebody(a, now)) || b.raised_at.localeCompare(a.raised_at),
  )
  for (const alert of sorted) found.set(alert.kind, [...(found.get(alert.kind) ?? []), alert])
  return [...found]
    .map(([kind, alerts]) => ({ kind, alerts, nNeeding: alerts.filter((alert) => needsSomebody(alert, now)).length }))
    .sort((a, b) => Number(b.nNeeding > 0) - Number(a.nNeeding > 0))
}

/** What began to need somebody since the last look: raised, or back from its rest; nothing at the first look. */
export class Watch {
  private known: ReadonlySet<string> | null = null

  look(alerts: readonly Alert[], now: number): Alert[] {
    const needing = alerts.filter((alert) => needsSomebody(alert, now))
    const fresh = this.known === null ? [] : needing.filter(({ id }) => !this.known!.has(id))
    this.known = new Set(needing.map(({ id }) => id))
    return fresh
  }

  forget(): void {
    this.known = null
  }
}
