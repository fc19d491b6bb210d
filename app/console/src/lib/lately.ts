/** What just happened, in people's words. */

import type { Happening } from './undescribed'

const WORDS: Record<string, string> = {
  'order.placed': 'was ordered',
  'order.accepted': 'was accepted',
  'order.picked_up': 'was collected',
  'order.delivered': 'was delivered',
  'order.failed': 'could not be delivered',
  'order.returned': 'was brought back',
  'order.cancelled': 'was cancelled',
  'order.unassigned': 'lost its courier',
}

export const isTold = (event: Happening) => event.type in WORDS && typeof event.order_id === 'string'

/** "was delivered by Ada"; the courier where somebody has it. */
export function words(event: Happening, courier: string | undefined): string {
  const what = WORDS[event.type] ?? event.type
  const isTheirs = courier && ['order.accepted', 'order.picked_up', 'order.delivered', 'order.failed'].includes(event.type)
  return isTheirs ? `${what} by ${courier}` : what
}
