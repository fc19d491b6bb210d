/** What became of an order, in people's words: what happened, by whom, and why. Newest first. */

import { story as said } from '../words/story'
import { age, time, words } from './format'
import type { Comment, OrderEvent, ToldArrival } from './types'
import { arrival, fields, reason } from './why'

export interface Line {
  at: string
  what: string
  /** Empty when the sentence says it. */
  who: string
  why: string
  by: By
}

/** Who did it: our own staff, the courier, the planner by itself, or a program of somebody's. */
export type By = 'person' | 'courier' | 'machine' | 'program'

const byOf = (role: string): By => (role === 'system' ? 'machine' : role === 'courier' ? 'courier' : role === 'service' ? 'program' : 'person')

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
    case 'reassign': {
      const former = event.facts?.from_courier_id
      return typeof former === 'string' ? said.takenFor(nameOf(former), courier) : said.givenTo(courier)
    }
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
  const named = Array.isArray(facts?.changed) ? facts.changed : []
  return named.length ? said.changeOf(fields(named)) : said.change
}

export function lineOf(event: OrderEvent, nameOf: NameOf): Line {
  const what = sentence(event, nameOf)
  const who = actorOf(event, nameOf)
  return {
    at: event.at,
    what,
    who: what.endsWith(who) ? '' : who,
    why: reason(event.reason),
    by: byOf(event.role),
  }
}

/** What was said of the arrival: the first word, and how each other one differs from the one before. */
function foretold(told: readonly ToldArrival[]): Line[] {
  return told.map(({ at, p50, p90, because }, index) => {
    const before = told[index - 1]
    const movedS = before ? (Date.parse(p50) - Date.parse(before.p50)) / 1000 : 0
    const spread = said.spread(time(p50, Date.parse(at)), time(p90, Date.parse(at)))
    const what = !before ? said.foretold(spread) : movedS > 0 ? said.later(age(movedS), spread) : said.earlier(age(-movedS), spread)
    return { at, what, who: '', why: because ? arrival(because) : '', by: 'machine' }
  })
}

export function story(events: readonly OrderEvent[], comments: readonly Comment[], nameOf: NameOf, told: readonly ToldArrival[] = []): Line[] {
  return [
    ...foretold(told),
    ...events.filter((event) => event.action !== 'comment').map((event) => lineOf(event, nameOf)),
    ...comments.map((comment) => ({
      at: comment.at,
      what: said.comment,
      who: actorOf(comment, nameOf),
      why: comment.text,
      by: byOf(comment.role),
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
