/** What just happened, in people's words. */

import { states } from '../words/states'
import type { Happening } from './undescribed'

type Told = keyof typeof states.happened

export const isTold = (event: Happening) => event.type in states.happened && typeof event.order_id === 'string'

/** An order that waits for a courier again is told of as one that was placed, in a later version. */
const kindOf = (event: Happening) => (event.type === 'order.placed' && Number(event.version) > 1 ? 'order.unassigned' : event.type)

/** "was delivered by Ada"; the courier where somebody has it. */
export function words(event: Happening, courier: string | undefined): string {
  const kind = kindOf(event)
  const what = states.happened[kind as Told] ?? kind
  const isTheirs = courier && ['order.accepted', 'order.picked_up', 'order.delivered', 'order.failed'].includes(kind)
  return isTheirs ? states.happenedBy(what, courier) : what
}
