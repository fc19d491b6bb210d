/** Quick reasons: the region's own (its setting `desk.reasons`), else the usual ones. */

import { reasons as usual } from '../words/reasons'
import type { Region } from './types'

export type Reasoned = keyof typeof usual

export function reasonsFor(action: string, region: Region | undefined): string[] {
  const own = (region?.settings as { desk?: { reasons?: Record<string, string[]> } } | undefined)?.desk?.reasons?.[action]
  return own?.length ? own : action in usual ? Object.values(usual[action as Reasoned]) : []
}
