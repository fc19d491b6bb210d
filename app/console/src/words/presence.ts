/** Who else is there. */

import { catalogue } from '../lib/catalogue'

export const presence = catalogue(
  { alsoOpen: (names: string[]) => (names.length === 1 ? `${names[0]} has this order open, too.` : `${names.join(', ')} have this order open, too.`) },
  { alsoOpen: (names) => (names.length === 1 ? `Этот заказ открыт и у другого: ${names[0]}.` : `Этот заказ открыт и у других: ${names.join(', ')}.`) },
)
