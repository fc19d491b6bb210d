/** What proves a delivery, in words. */

import { order as said } from '../words/order'

const PICTURE = /^[0-9a-f]{8}-[0-9a-f]{4}-/

/** What was said at the door; pictures that the server keeps are shown, not named. */
export function proofWords(proof: Record<string, string> | null | undefined): string {
  return Object.entries(proof ?? {})
    .filter(([, what]) => !PICTURE.test(what))
    .map(([kind, what]) => `${said.proofOf[kind] ?? kind}: ${what}`)
    .join(', ')
}
