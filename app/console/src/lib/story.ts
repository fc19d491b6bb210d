/** What became of an order, in people's words: what happened, by whom, and why. Newest first. */

import { words } from './format'
import type { Comment, OrderEvent } from './types'

export interface Line {
  at: string
  what: string
  /** Empty when the sentence says it. */
  who: string
  why: string
  isByPerson: boolean
}

type NameOf = (courierId: string | null | undefined) => string

/** `actor` is `courier:ID`, `staff:NAME`, `user:NAME` or a part of the program. */
function actorOf({ actor, role }: { actor: string; role: string }, nameOf: NameOf): string {
  if (role === 'system') return 'the dispatcher'
  const name = actor.replace(/^\w+:/, '')
  return role === 'courier' ? nameOf(name) : name
}

function sentence(event: OrderEvent, nameOf: NameOf): string {
  const courier = nameOf(event.courier_id)
  switch (event.action) {
    case 'place':
      return 'Ordered'
    case 'change':
      return `Changed${changed(event)}`
    case 'cancel':
      return event.state === 'returning' ? 'Cancelled, goods on their way back' : 'Cancelled'
    case 'assign':
      return event.state === 'accepted' ? `Given to ${courier}` : `Offered to ${courier}`
    case 'reassign':
      return `Given to ${courier}`
    case 'accept':
      return `Accepted by ${courier}`
    case 'reject':
      return event.courier_id ? `Refused by ${courier}` : 'Refused'
    case 'expire':
      return 'Nobody answered the offer'
    case 'release':
      return 'Given back'
    case 'withdraw':
    case 'unassign':
      return 'Taken back, for somebody else'
    case 'reconsider':
      return 'Planned anew'
    case 'pin':
      return `Pinned to ${courier}`
    case 'unpin':
      return 'No longer pinned'
    case 'picked_up':
      return `Collected by ${courier}`
    case 'delivered':
      return `Delivered by ${courier}`
    case 'failed':
      return event.state === 'returning' ? 'Could not be delivered, on its way back' : 'Could not be delivered'
    case 'returned':
      return 'Brought back'
    case 'retry':
      return 'Tried again'
    case 'transfer':
      return `Handed over to ${courier}`
    default:
      return words(event.action)
  }
}

/** `changed` names fields: `dropoff.address`, `ready_at`. */
function changed({ facts }: OrderEvent): string {
  const fields = Array.isArray(facts?.changed) ? facts.changed : []
  return fields.length ? `: ${fields.map((field) => words(String(field)).toLowerCase()).join(', ')}` : ''
}

export function lineOf(event: OrderEvent, nameOf: NameOf): Line {
  const what = sentence(event, nameOf)
  const who = actorOf(event, nameOf)
  return {
    at: event.at,
    what,
    who: what.endsWith(who) ? '' : who,
    why: event.reason ?? '',
    isByPerson: !['system', 'courier'].includes(event.role),
  }
}

export function story(events: readonly OrderEvent[], comments: readonly Comment[], nameOf: NameOf): Line[] {
  return [
    ...events.filter((event) => event.action !== 'comment').map((event) => lineOf(event, nameOf)),
    ...comments.map((comment) => ({
      at: comment.at,
      what: 'Comment',
      who: actorOf(comment, nameOf),
      why: comment.text,
      isByPerson: comment.role !== 'system',
    })),
  ].sort((a, b) => b.at.localeCompare(a.at))
}

/** Who changed the order after `version`, as one sentence: what a person has to know before they go on. */
export function meanwhile(events: readonly OrderEvent[], version: number, nameOf: NameOf, at: (at: string) => string): string {
  const lines = events.filter((event) => event.version > version && event.action !== 'comment').map((event) => lineOf(event, nameOf))
  return lines
    .map((line) => `${line.what}${line.who ? ` by ${line.who}` : ''} at ${at(line.at)}${line.why ? ` (${line.why})` : ''}`)
    .join('; ')
}
