/** What was said at the counter and is not sent yet: kept by the browser, so that a closed page loses nothing. */

import type { Said } from './shapes'

/** Hours of a busy place; beyond it the oldest go. */
export const MOST = 300

export class Outbox {
  constructor(
    private readonly storage: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>,
    private readonly name: string,
  ) {}

  /** The oldest first; what cannot be read was written by another release. */
  all(): Said[] {
    try {
      const kept: unknown = JSON.parse(this.storage.getItem(this.name) ?? '[]')
      return Array.isArray(kept) ? kept : []
    } catch {
      return []
    }
  }

  add(said: Omit<Said, 'n'>): void {
    const kept = this.all()
    const n = (kept.at(-1)?.n ?? 0) + 1
    this.put([...kept, { ...said, n }].slice(-MOST))
  }

  async first(_: 'actions', most = MOST): Promise<[number, Said][]> {
    return this.all()
      .slice(0, most)
      .map((said) => [said.n, said])
  }

  async remove(_: 'actions', keys: readonly number[]): Promise<void> {
    this.put(this.all().filter((said) => !keys.includes(said.n)))
  }

  private put(kept: readonly Said[]): void {
    if (kept.length) this.storage.setItem(this.name, JSON.stringify(kept))
    else this.storage.removeItem(this.name)
  }
}
