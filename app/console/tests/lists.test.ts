import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Single } from '../src/lib/later'
import { Lists } from '../src/lib/lists.svelte'
import type { Order } from '../src/lib/types'

let asked: string[] = []
let answer: (path: string) => unknown = () => ({ items: [] })
let now = 1_000_000

beforeEach(() => {
  vi.useFakeTimers()
  asked = []
  answer = () => ({ items: [] })
  vi.stubGlobal('fetch', async (path: string) => {
    asked.push(path)
    const body = await answer(path)
    return { ok: true, status: 200, text: async () => JSON.stringify(body) }
  })
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

const lists = () => new Lists({ inRegion: () => 'region=porto', isOpened: () => false, now: () => now, alarm: () => undefined })
const order = (id: string, version: number, state = 'placed') => ({ id, version, state, placed_at: '', pickup: {}, dropoff: {} }) as unknown as Order
const reads = (what: string) => asked.filter((path) => path.startsWith(`/v1/${what}`)).length

it('one reading is under way, and all who ask meanwhile share the one after it', async () => {
  const [single, begun] = [new Single(), [] as number[]]
  const gates: (() => void)[] = []
  const work = (n: number) => () => new Promise<void>((done) => (begun.push(n), gates.push(done)))
  const first = single.run(work(1))
  const [second, third] = [single.run(work(2)), single.run(work(3))]
  expect([begun, second === third, single.isUnderWay]).toEqual([[1], true, true])
  gates[0]!()
  await first
  await Promise.resolve()
  gates[1]!()
  await third
  expect([begun, single.isUnderWay]).toEqual([[1, 2], false])
  await expect(single.run(() => Promise.reject(new Error('away')))).resolves.toBeUndefined()
  expect(single.isUnderWay).toBe(false)
})

it('somebody whom no list knows is asked for once, and again only after a while', async () => {
  const some = lists()
  for (let n = 0; n < 40; n++) {
    some.strangersSeen(['x', 'y'])
    await vi.advanceTimersByTimeAsync(500)
  }
  expect(reads('couriers')).toBe(1)
  now += 31_000
  some.strangersSeen(['x'])
  await vi.advanceTimersByTimeAsync(1000)
  expect(reads('couriers')).toBe(2)
})

it('changed orders come with the stream; what it does not bring is asked for', async () => {
  const some = lists()
  answer = (path) => (path.startsWith('/v1/orders/') ? order(path.slice(11), 5) : { items: [] })
  await some.readOrders()
  asked = []
  for (const id of ['a', 'b', 'c']) some.orderChanged(id)
  some.ordersBrought([order('a', 2), order('b', 3)])
  some.ordersBrought([order('b', 2)])
  await vi.advanceTimersByTimeAsync(10_000)
  expect(asked).toEqual(['/v1/orders/c'])
  expect([...some.orders!.values()].map(({ id, version }) => [id, version])).toEqual([['a', 2], ['b', 3], ['c', 5]])
})

it('what the stream brings while the list is being read is newer than the list', async () => {
  const some = lists()
  let go = () => {}
  const gate = new Promise<void>((done) => (go = done))
  answer = async () => {
    await gate
    return { items: [order('a', 1)] }
  }
  const reading = some.readOrders()
  some.orderChanged('a')
  some.ordersBrought([order('a', 2)])
  go()
  await reading
  expect(some.orders!.get('a')!.version).toBe(2)
  expect(reads('orders/a')).toBe(0)
})
