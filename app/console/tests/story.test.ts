import { expect, it } from 'vitest'
import { meanwhile, story } from '../src/lib/story'
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
    event({ at: '2026-05-04T12:03:00Z', action: 'comment' }),
  ]
  const comments = [{ id: 1, at: '2026-05-04T12:03:00Z', actor: 'staff:Ines', role: 'support', text: 'she called' }]
  expect(story(events, comments, nameOf).map(({ what, who, why, isByPerson }) => [what, who, why, isByPerson])).toEqual([
    ['Comment', 'Ines', 'she called', true],
    ['Changed: dropoff address, ready at', 'Ines', '', true],
    ['Refused by Vera', '', 'too far', false],
    ['Offered to Vera', 'the dispatcher', '', false],
    ['Ordered', 'Ines', '', true],
  ])
})

it('what others did since is told, and nothing else', () => {
  const events = [event({}), event({ version: 2, action: 'pin', courier_id: 'f' }), event({ version: 3, action: 'cancel', state: 'cancelled', reason: 'twice' })]
  expect(meanwhile(events, 1, nameOf, () => '12:00')).toBe('Pinned to Finn by Ines at 12:00; Cancelled by Ines at 12:00 (twice)')
  expect(meanwhile(events, 3, nameOf, () => '12:00')).toBe('')
})
