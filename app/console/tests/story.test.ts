import { expect, it } from 'vitest'
import { locale } from '../src/lib/locale.svelte'
import { meanwhile, story } from '../src/lib/story'
import { arrival, fields, objection, reason } from '../src/lib/why'
import type { OrderEvent } from '../src/lib/types'

const nameOf = (id: string | null | undefined) => (id ? { v: 'Vera', f: 'Finn' }[id] ?? id : 'nobody')
const event = (over: Partial<OrderEvent>): OrderEvent => ({
  at: '2026-05-04T12:00:00Z',
  version: 1,
  action: 'place',
  state: 'placed',
  actor: 'staff:Ines',
  role: 'support',
  ...over,
})

it('an order tells in words what happened, by whom and why, the newest first', () => {
  const events = [
    event({}),
    event({ at: '2026-05-04T12:01:00Z', action: 'assign', state: 'assigned', actor: 'dispatch', role: 'system', courier_id: 'v' }),
    event({ at: '2026-05-04T12:02:00Z', action: 'reject', actor: 'courier:v', role: 'courier', courier_id: 'v', reason: 'too far' }),
    event({ at: '2026-05-04T12:02:30Z', action: 'change', facts: { changed: ['dropoff.address', 'ready_at'] } }),
    event({ at: '2026-05-04T12:02:40Z', action: 'reconsider', actor: 'dispatch', role: 'system', reason: 'changed: ready_at, skills' }),
    event({ at: '2026-05-04T12:02:50Z', action: 'reassign', actor: 'service:shop', role: 'service', courier_id: 'f', facts: { from_courier_id: 'v' } }),
    event({ at: '2026-05-04T12:03:00Z', action: 'comment' }),
  ]
  const comments = [{ id: 1, at: '2026-05-04T12:03:00Z', actor: 'staff:Ines', role: 'support', text: 'she called' }]
  expect(story(events, comments, nameOf).map(({ what, who, why, by }) => [what, who, why, by])).toEqual([
    ['Comment', 'Ines', 'she called', 'person'],
    ['Taken from Vera for Finn', 'shop', '', 'program'],
    ['Planned anew', 'the planner', 'changed: ready time, skills', 'machine'],
    ['Changed: drop-off, ready time', 'Ines', '', 'person'],
    ['Refused by Vera', '', 'too far', 'courier'],
    ['Offered to Vera', 'the planner', '', 'machine'],
    ['Ordered', 'Ines', '', 'person'],
  ])
})

it('what others did since is told, and nothing else', () => {
  const events = [event({}), event({ version: 2, action: 'pin', courier_id: 'f' }), event({ version: 3, action: 'cancel', state: 'cancelled', reason: 'twice' })]
  expect(meanwhile(events, 1, nameOf, () => '12:00')).toBe('Pinned to Finn by Ines at 12:00; Cancelled by Ines at 12:00 (twice)')
  expect(meanwhile(events, 3, nameOf, () => '12:00')).toBe('')
})

it('codes and the program’s own reasons are read in the viewer’s language, a person’s words as they wrote them', () => {
  expect([objection({ code: 'too_far', text: 'x' }), objection({ code: 'of another release', text: 'as it says' })]).toEqual(['It is too far for them.', 'as it says'])
  locale.speak('ru')
  expect([arrival('on_break'), reason('no answer in time'), reason('changed: dropoff'), fields(['dropoff.address', 'dropoff'])]).toEqual([
    'У курьера перерыв',
    'не ответили вовремя',
    'изменено: куда',
    'куда',
  ])
  expect([reason('she called'), reason(null), arrival('constructor')]).toEqual(['she called', '', 'Constructor'])
  locale.speak('en')
})

it('what was said of the arrival is part of it: the first word, and how the others differed', () => {
  const told = [
    { at: '2026-05-04T12:00:30Z', p50: '2026-05-04T12:40:00Z', p90: '2026-05-04T12:46:00Z', because: null },
    { at: '2026-05-04T12:10:00Z', p50: '2026-05-04T12:47:00Z', p90: '2026-05-04T12:55:00Z', because: 'on_break' },
    { at: '2026-05-04T12:20:00Z', p50: '2026-05-04T12:43:00Z', p90: '2026-05-04T12:43:00Z', because: null },
  ]
  expect(story([event({})], [], nameOf, told).map(({ what, why, by }) => [what, why, by])).toEqual([
    ['Arrival 4 min earlier: 12:43', '', 'machine'],
    ['Arrival 7 min later: 12:47–12:55', 'The courier has a break', 'machine'],
    ['Arrival said to be 12:40–12:46', '', 'machine'],
    ['Ordered', '', 'person'],
  ])
})
