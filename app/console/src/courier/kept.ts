/** What the courier's page keeps on the phone (IndexedDB): what was done, where the phone was, what was last seen. */

import type { Action, Fix } from './shapes'

interface Stores {
  actions: Action
  fixes: Fix
  seen: unknown
}
type Queue = 'actions' | 'fixes'

/** Ten hours of a fix every two seconds; beyond it the oldest go. */
export const MOST_FIXES = 20_000

const done = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error ?? new Error('the phone keeps nothing'))
  })

export class Kept {
  private constructor(private readonly database: IDBDatabase) {}

  static async open(): Promise<Kept> {
    const request = indexedDB.open('postrider-courier', 1)
    request.onupgradeneeded = () => {
      for (const name of ['actions', 'fixes']) request.result.createObjectStore(name, { autoIncrement: true })
      request.result.createObjectStore('seen')
    }
    return new Kept(await done(request))
  }

  private store(name: keyof Stores, mode: IDBTransactionMode = 'readwrite'): IDBObjectStore {
    return this.database.transaction(name, mode, { durability: 'strict' }).objectStore(name)
  }

  async add<Q extends Queue>(queue: Q, item: Stores[Q]): Promise<number> {
    return Number(await done(this.store(queue).add(item)))
  }

  /** The oldest first, at most `most`, each with its key. */
  async first<Q extends Queue>(queue: Q, most?: number): Promise<[number, Stores[Q]][]> {
    const store = this.store(queue, 'readonly')
    const [keys, items] = await Promise.all([done(store.getAllKeys(null, most)), done(store.getAll(null, most))])
    return items.map((item, i) => [Number(keys[i]), item])
  }

  async remove(queue: Queue, keys: readonly number[]): Promise<void> {
    const store = this.store(queue)
    await Promise.all(keys.map((key) => done(store.delete(key))))
  }

  async count(queue: Queue): Promise<number> {
    return done(this.store(queue, 'readonly').count())
  }

  async boundFixes(): Promise<void> {
    const excess = (await this.count('fixes')) - MOST_FIXES
    if (excess > 0) await this.remove('fixes', (await this.first('fixes', excess)).map(([key]) => key))
  }

  async see(name: string, value: unknown): Promise<void> {
    await done(this.store('seen').put(value, name))
  }

  async seen<T>(name: string): Promise<T | undefined> {
    return done(this.store('seen', 'readonly').get(name)) as Promise<T | undefined>
  }

  /** Another courier's phone now: nothing of the one before may be sent or shown. */
  async forget(): Promise<void> {
    for (const name of ['actions', 'fixes', 'seen'] as const) await done(this.store(name).clear())
  }
}
