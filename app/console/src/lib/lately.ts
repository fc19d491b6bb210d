/** What just happened, in people's words. */

import { states } from '../words/states'
import type { Happening } from './undescribed'

type Told = keyof typeof states.happened

export const isTold = (event: Happening) => event.type in states.happened && typeof event.order_id === 'string'

/** "was delivered by Ada"; the courier where somebody has it. */
export function words(event: Happening, courier: string | undefined): string {
  const what = states.happened[event.type as Told] ?? event.type
  const isTheirs = courier && ['order.accepted', 'order.picked_up', 'order.delivered', 'order.failed'].includes(event.type)
  return isTheirs ? states.happenedBy(what, courier) : what
}
