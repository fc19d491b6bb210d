/** What was half written of a comment or a reason, until it is sent or dropped; leaving the form does neither. */

import type { ChangeSheet } from './changeorder'

export type Action = 'cancel' | 'reassign' | 'comments' | 'retry' | 'transfer'

export interface Draft {
  text: string
  courierId: string
}

export class Drafts {
  private readonly kept = new Map<string, Map<Action, Draft>>()
  private readonly changes = new Map<string, ChangeSheet>()

  of(orderId: string, action: Action): Draft | undefined {
    return this.kept.get(orderId)?.get(action)
  }

  /** The form to open again: the one that was written in last. */
  latest(orderId: string): Action | null {
    return [...(this.kept.get(orderId)?.keys() ?? [])].at(-1) ?? null
  }

  /** Nothing written is nothing to keep. */
  keep(orderId: string, action: Action, draft: Draft): void {
    this.drop(orderId, action)
    if (!draft.text.trim() && !draft.courierId) return
    const kept = this.kept.get(orderId) ?? new Map<Action, Draft>()
    this.kept.set(orderId, kept.set(action, draft))
  }

  drop(orderId: string, action: Action): void {
    this.kept.get(orderId)?.delete(action)
  }

  /** Another place or time, half chosen. */
  changeOf(orderId: string): ChangeSheet | undefined {
    return this.changes.get(orderId)
  }

  keepChange(orderId: string, sheet: ChangeSheet | null): void {
    if (sheet) this.changes.set(orderId, sheet)
    else this.changes.delete(orderId)
  }

  /** Whoever comes next shall not find them. */
  clear(): void {
    this.kept.clear()
    this.changes.clear()
  }
}
