import { expect, it, vi } from 'vitest'
import { dutyAfter, offersAfter, stopsAfter, takenOrders } from '../src/courier/pending'
import { fitted } from '../src/courier/pictures'
import { FIXES_AT_ONCE, type Outcome, type Queues, sendActions, sendFixes } from '../src/courier/sending'
import type { Action, Day, Fix, Offer, Route } from '../src/courier/shapes'
import { isNews } from '../src/courier/tracker'
import { callOf, NAVIGATORS } from '../src/courier/ways'

const stop = (order_id: string, kind: string, state = 'accepted') => ({ order_id, kind, state, lat: 1, lon: 2 })
const route = { courier_id: 'c', version: 1, stops: [stop('a', 'pickup'), stop('b', 'dropoff', 'picked_up'), stop('a', 'dropoff')] } as Route
const did = (what: Action['what'], orderId = 'a', path = `/${what}`): Action => ({ what, method: 'POST', path, body: {}, key: path, at: '', orderId })

function queues(actions: Action[], fixes: Fix[] = []) {
  const held = { actions: [...actions.entries()], fixes: [...fixes.entries()] }
  const kept = {
    first: async (queue: 'actions' | 'fixes', most?: number) => held[queue].slice(0, most),
    remove: async (queue: 'actions' | 'fixes', keys: readonly number[]) => {
      held[queue] = held[queue].filter(([key]) => !keys.includes(key)) as never
    },
  }
  return { held, kept: kept as unknown as Queues }
}

it('the route is at once as it will be once the server knows what was done', () => {
  const kinds = (...actions: Action[]) => stopsAfter(route, actions, new Set()).map(({ order_id, kind, state }) => `${order_id} ${kind} ${state}`)
  expect(kinds()).toEqual(['a pickup accepted', 'b dropoff picked_up', 'a dropoff accepted'])
  expect(kinds(did('picked_up'))).toEqual(['b dropoff picked_up', 'a dropoff picked_up'])
  expect(kinds(did('picked_up'), did('delivered'), did('failed', 'b'))).toEqual([])
  expect(kinds(did('give_back'))).toEqual(['b dropoff picked_up'])
  expect(stopsAfter(route, [], new Set(['a pickup'])).map((one) => one.hasArrived)).toEqual([true, false, false])
})

it('an offer that was answered or has run out is gone, and duty is what was pressed last', () => {
  const offers = [{ id: 'x', expires_at: '2026-01-01T00:01:00Z' }, { id: 'y', expires_at: '2026-01-01T00:02:00Z' }] as Offer[]
  const ids = (at: string, ...actions: Action[]) => offersAfter(offers, actions, Date.parse(at)).map(({ id }) => id)
  expect(ids('2026-01-01T00:00:30Z')).toEqual(['x', 'y'])
  expect(ids('2026-01-01T00:01:30Z')).toEqual(['y'])
  expect(ids('2026-01-01T00:00:30Z', { ...did('accept'), offerId: 'y' })).toEqual(['x'])
  const offered = { ...route, stops: [stop('z', 'pickup', 'assigned')] } as Route
  // Also where the offer is gone before the route knows who has it: nothing that is being written there may vanish.
  const shown = (...actions: Action[]) => stopsAfter(offered, actions, new Set(), takenOrders(actions)).map(({ state }) => state)
  expect([shown(), shown({ ...did('accept'), offerId: 'w', orderIds: ['z'] })]).toEqual([[], ['accepted']])
  const day = { on_duty: true, break_until: 'then' } as Day
  expect(dutyAfter(day, [])).toEqual({ isOn: true, isOnBreak: true })
  expect(dutyAfter(day, [did('break_end'), did('off_duty')])).toEqual({ isOn: false, isOnBreak: false })
  expect(dutyAfter(null, [did('on_duty'), did('break_start')])).toEqual({ isOn: true, isOnBreak: true })
})

it('what was done is sent once and in order; what is refused is told and does not hold up the rest', async () => {
  const { held, kept } = queues([did('arrived'), did('picked_up'), did('delivered')])
  const answers: Outcome[] = [{ kind: 'sent' }, { kind: 'later' }, { kind: 'refused', why: 'no' }, { kind: 'sent' }]
  const sent: string[] = []
  const send = async (_: string, path: string, __: BodyInit | null, headers: Record<string, string>) => {
    sent.push(`${path} ${headers['Idempotency-Key']}`)
    return answers.shift()!
  }
  const refused = vi.fn()
  expect(await sendActions(kept, send, refused)).toBe('later')
  expect(held.actions.map(([, action]) => action.what)).toEqual(['picked_up', 'delivered'])
  expect(await sendActions(kept, send, refused)).toBe('all')
  expect(sent).toEqual(['/arrived /arrived', '/picked_up /picked_up', '/picked_up /picked_up', '/delivered /delivered'])
  expect(refused.mock.calls.map(([action, why]) => [action.what, why])).toEqual([['picked_up', 'no']])
})

it('a session that ended sends nothing more and keeps what was done', async () => {
  const { held, kept } = queues([did('delivered')])
  expect(await sendActions(kept, async () => ({ kind: 'signed_out' }), vi.fn())).toBe('signed_out')
  expect(held.actions).toHaveLength(1)
})

it('places are sent many at a time, and kept until they are', async () => {
  const fixes = Array.from({ length: FIXES_AT_ONCE + 1 }, (_, i) => ({ fixed_at: String(i), lat: 1, lon: 2 }))
  const { held, kept } = queues([], fixes)
  const sizes: number[] = []
  const answers: Outcome[] = [{ kind: 'sent' }, { kind: 'later' }, { kind: 'sent' }]
  const send = async (_: string, __: string, body: BodyInit | null) => {
    sizes.push(JSON.parse(String(body)).fixes.length)
    return answers.shift()!
  }
  expect(await sendFixes(kept, send)).toBe('later')
  expect(held.fixes).toHaveLength(1)
  expect(await sendFixes(kept, send)).toBe('all')
  expect(sizes).toEqual([FIXES_AT_ONCE, 1, 1])
})

it('a place is news when it is later or elsewhere', () => {
  const at = (s: number, lat: number): Fix => ({ fixed_at: new Date(s * 1000).toISOString(), lat, lon: 0 })
  expect([isNews(null, at(0, 0)), isNews(at(0, 0), at(5, 0)), isNews(at(0, 0), at(10, 0)), isNews(at(0, 0), at(5, 0.001)), isNews(at(0, 0), at(1, 0.001))]).toEqual(
    [true, false, true, true, false],
  )
})

it('other apps are asked in the way that each understands', () => {
  const place = { lat: 41.15, lon: -8.61 }
  expect(NAVIGATORS.geo(place)).toBe('geo:41.15,-8.61?q=41.15,-8.61')
  expect(Object.values(NAVIGATORS).every((link) => link(place).includes('41.15') && link(place).includes('-8.61'))).toBe(true)
  expect(callOf({ name: 'Ana 5', phone: '+351 912 345-678' })).toBe('tel:+351912345678')
  expect([callOf({ name: 'Ana' }), callOf(null), callOf({ phone: 'none' })]).toEqual([null, null, null])
})

it('makes a photo fit, never larger, in its form', () => {
  expect(fitted(4000, 3000)).toEqual([1600, 1200])
  expect(fitted(640, 480)).toEqual([640, 480])
  expect(fitted(1, 9000)).toEqual([1, 1600])
})
