/** One thing done to many orders, and undone. */

import { bulk as said } from '../words/bulk'
import * as api from './api'
import type { BulkDone, BulkResult, Order } from './types'

export type BulkAction = 'cancel' | 'reassign' | 'pin' | 'unpin'

export interface Facts {
  reason: string
  courier_id?: string
  force?: boolean
  pinned?: boolean
}

export interface Outcome {
  action: BulkAction
  facts: Facts
  results: readonly BulkResult[]
}

/** The server takes so many at once. */
const AT_MOST = 200

/** What became of each. A part that cannot be sent has failed, the others go on. */
export async function doToAll(action: BulkAction, ids: readonly string[], facts: Facts): Promise<BulkResult[]> {
  const results: BulkResult[] = []
  for (let at = 0; at < ids.length; at += AT_MOST) {
    const part = ids.slice(at, at + AT_MOST)
    try {
      const done = await api.send<BulkDone>('POST', '/v1/orders/bulk', { action, order_ids: part, ...facts })
      results.push(...done!.results)
    } catch (error) {
      const problem = { title: error instanceof Error ? error.message : String(error) }
      results.push(...part.map((order_id) => ({ order_id, status: error instanceof api.Problem ? error.status : 0, problem })))
    }
  }
  return results
}

export const failed = ({ results }: Outcome) => results.filter((result) => result.problem)

/** Only the choice of the courier speaks against it: whoever has read that may go on. */
export const isUnsuitable = (result: BulkResult) => result.problem?.code === 'courier-unsuitable'

export interface Step {
  action: BulkAction | 'unassign'
  ids: string[]
  facts: Facts
}

const UNDONE = 'Undone'

/** What brings orders back to how they were (`before`): to whoever had them, pinned or not. A cancelled order stays so. */
export function waysBack(action: BulkAction, before: readonly Order[]): Step[] {
  if (action === 'cancel') return []
  if (action !== 'reassign') {
    const ids = before.filter(({ pinned }) => !!pinned !== (action === 'pin')).map(({ id }) => id)
    return ids.length ? [{ action: action === 'pin' ? 'unpin' : 'pin', ids, facts: { reason: UNDONE } }] : []
  }
  const steps = new Map<string, Step>()
  for (const { id, courier_id, pinned } of before) {
    const key = `${courier_id ?? ''} ${!!pinned}`
    const facts = { reason: UNDONE, ...(courier_id && { courier_id, force: true, pinned: !!pinned }) }
    const step = steps.get(key) ?? { action: courier_id ? ('reassign' as const) : ('unassign' as const), ids: [], facts }
    step.ids.push(id)
    steps.set(key, step)
  }
  return [...steps.values()]
}

/** Raises an error that tells what could not be undone. */
export async function goBack(steps: readonly Step[]): Promise<void> {
  const results: BulkResult[] = []
  for (const { action, ids, facts } of steps) {
    if (action !== 'unassign') results.push(...(await doToAll(action, ids, facts)))
    else for (const id of ids) await api.send('POST', `/v1/orders/${id}/unassign`, facts)
  }
  const left = results.filter((result) => result.problem)
  if (left.length) throw new Error(said.notUndone(left.length, api.words(left[0]!.problem!)))
}
