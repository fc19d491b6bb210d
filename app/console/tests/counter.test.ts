import { expect, it } from 'vitest'
import { sendActions } from '../src/courier/sending'
import { MOST, Outbox } from '../src/counter/outbox'
import { goesAfter, slotsOf, tasksAfter } from '../src/counter/pending'
import type { Go, Said, Step, Task } from '../src/counter/shapes'

const NOW = Date.parse('2026-05-04T12:00:00Z')
const minutes = (n: number) => new Date(NOW + n * 60_000).toISOString()

const task = (order_id: string, facts: Partial<Task> = {}): Task => ({
  order_id,
  external_id: null,
  state: 'waiting',
  lines: [],
  placed_at: minutes(-10),
  starts_at: minutes(0),
  ends_at: minutes(10),
  courier_at: null,
  ready_at: minutes(10),
  cannot: null,
  problem: null,
  ...facts,
})
const said = (step: Step, orderId: string, body: Record<string, unknown> = {}): Omit<Said, 'n'> => ({
  step,
  orderId,
  method: 'POST',
  path: `/v1/places/p/tasks/${orderId}/${step}`,
  body,
  key: `${step} ${orderId}`,
  at: minutes(1),
})
const heard = (step: Step, orderId: string, body: Record<string, unknown> = {}): Said => ({ ...said(step, orderId, body), n: 1 })

function storage(): Pick<Storage, 'getItem' | 'setItem' | 'removeItem'> & { kept: Map<string, string> } {
  const kept = new Map<string, string>()
  return {
    kept,
    getItem: (name) => kept.get(name) ?? null,
    setItem: (name, text) => void kept.set(name, text),
    removeItem: (name) => void kept.delete(name),
  }
}

it('what was said shows at once, in the order in which it was said', () => {
  const tasks = [task('a'), task('b'), task('c')]
  const after = tasksAfter(tasks, [heard('start', 'a'), heard('delay', 'a', { minutes: 5 }), heard('ready', 'b'), heard('problem', 'c', { text: 'no fish' })])
  expect(after.map(({ state, problem }) => [state, problem])).toEqual([
    ['started', null],
    ['ready', null],
    ['waiting', 'no fish'],
  ])
  expect(after[0]?.ends_at).toBe(minutes(15))
  expect(tasksAfter([task('a', { state: 'ready' })], [heard('start', 'a')])[0]?.state).toBe('ready')
})

it('what was said of something made ahead shows at once, and moves no order', () => {
  const go = (item: string): Go => ({
    item,
    amount: 6,
    state: 'suggested',
    starts_at: minutes(20),
    ends_at: minutes(35),
    wanted_at: minutes(60),
    good_until: minutes(155),
  })
  const all = [go('soup'), go('dough'), go('salad'), go('bread')]
  const says = [heard('start', '', { item: 'soup' }), heard('skip', '', { item: 'dough' }), heard('start', '', { item: 'salad' })]
  const after = goesAfter(all, [...says, heard('ready', '', { item: 'salad' }), heard('start', 'bread')])
  expect(after).toEqual([{ ...go('soup'), state: 'started', starts_at: minutes(1) }, go('bread')])
  expect(tasksAfter([task('soup')], says)).toEqual([task('soup')])
})

it('orders stand by what is to be done with them', () => {
  const tasks = [
    task('late', { starts_at: minutes(-5) }),
    task('soon', { starts_at: minutes(1) }),
    task('later', { starts_at: minutes(30) }),
    task('closed', { starts_at: null, cannot: 'closed' }),
    task('begun', { state: 'started' }),
    task('done', { state: 'ready' }),
  ]
  const names = Object.fromEntries(Object.entries(slotsOf(tasks, NOW)).map(([name, some]) => [name, some.map((one: Task) => one.order_id)]))
  expect(names).toEqual({ now: ['late', 'soon'], later: ['later'], cannot: ['closed'], started: ['begun'], ready: ['done'] })
})

it('what is said without a network is sent later, once and in its order, also by a page that was opened again', async () => {
  const browser = storage()
  const before = new Outbox(browser, 'said')
  before.add(said('start', 'a'))
  before.add(said('ready', 'a', { at: minutes(1) }))
  expect(await sendActions(before, async () => ({ kind: 'later' }), () => {})).toBe('later')
  const sent: string[] = []
  const refused: string[] = []
  const again = new Outbox(browser, 'said')
  const outcome = await sendActions(
    again,
    async (_method, path, body, headers) => {
      sent.push(`${path} ${String(body)} ${headers['Idempotency-Key']}`)
      return path.endsWith('ready') ? { kind: 'refused', why: 'collected' } : { kind: 'sent' }
    },
    (one, why) => refused.push(`${one.step}: ${why}`),
  )
  expect(outcome).toBe('all')
  expect(sent).toEqual(['/v1/places/p/tasks/a/start {} start a', `/v1/places/p/tasks/a/ready {"at":"${minutes(1)}"} ready a`])
  expect(refused).toEqual(['ready: collected'])
  expect(browser.kept.size).toBe(0)
})

it('the browser keeps so much and no more, and what it cannot read harms nothing', () => {
  const browser = storage()
  const outbox = new Outbox(browser, 'said')
  browser.setItem('said', '{"of": "another release"')
  expect(outbox.all()).toEqual([])
  for (let n = 0; n < MOST + 2; n++) outbox.add(said('start', String(n)))
  expect(outbox.all().map(({ orderId }) => orderId).slice(0, 2)).toEqual(['2', '3'])
  expect(outbox.all()).toHaveLength(MOST)
})
