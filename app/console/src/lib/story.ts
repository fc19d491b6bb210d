/** What became of an order, in people's words: what happened, by whom, and why. Newest first. */

import { story as said } from '../words/story'
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
  if (role === 'system') return said.dispatcher
  const name = actor.replace(/^\w+:/, '')
  return role === 'courier' ? nameOf(name) : name
}

function sentence(event: OrderEvent, nameOf: NameOf): string {
  const courier = nameOf(event.courier_id)
  switch (event.action) {
    case 'place':
      return said.place
    case 'change':
      return changed(event)
    case 'cancel':
      return event.state === 'returning' ? said.cancelReturning : said.cancel
    case 'assign':
      return event.state === 'accepted' ? said.givenTo(courier) : said.offeredTo(courier)
    case 'reassign':
      return said.givenTo(courier)
    case 'accept':
      return said.acceptedBy(courier)
    case 'reject':
      return event.courier_id ? said.refusedBy(courier) : said.refused
    case 'expire':
      return said.expire
    case 'release':
      return said.release
    case 'withdraw':
    case 'unassign':
      return said.withdraw
    case 'reconsider':
      return said.reconsider
    case 'pin':
      return said.pinnedTo(courier)
    case 'unpin':
      return said.unpin
    case 'picked_up':
      return said.collectedBy(courier)
    case 'delivered':
      return said.deliveredBy(courier)
    case 'failed':
      return event.state === 'returning' ? said.failedReturning : said.failed
    case 'returned':
      return said.returned
    case 'retry':
      return said.retry
    case 'transfer':
      return said.handedTo(courier)
    default:
      return words(event.action)
  }
}

/** `changed` names fields: `dropoff.address`, `ready_at`. */
function changed({ facts }: OrderEvent): string {
  const fields = Array.isArray(facts?.changed) ? facts.changed : []
  return fields.length ? said.changeOf(fields.map((field) => words(String(field)).toLowerCase()).join(', ')) : said.change
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
      what: said.comment,
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
    .map(({ what, who, at: instant, why }) => `${said.at(who ? said.by(what, who) : what, at(instant))}${why ? ` (${why})` : ''}`)
    .join('; ')
}
