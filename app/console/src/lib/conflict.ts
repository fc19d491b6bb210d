/** Somebody else was faster: who did what, so that whoever has read it can go on. */

import * as api from './api'
import { clock } from './format'
import type { Store } from './store.svelte'
import { meanwhile } from './story'
import type { OrderEvent } from './types'
import type { Page } from './undescribed'

export const isConflict = (problem: unknown): boolean =>
  problem instanceof api.Problem && ['version-conflict', 'order-not-open', 'conflict'].includes(problem.code)

/** What became of an order since `version`, in one sentence; empty when that cannot be told. */
export async function changesOfOthers(store: Store, orderId: string, version: number): Promise<string> {
  const page = await api.find<Page<OrderEvent>>(`/v1/orders/${orderId}/events`).catch(() => null)
  return meanwhile(page?.items ?? [], version, (one) => store.lists.nameOf(one), clock)
}

export const textOf = (problem: unknown): string => (problem instanceof Error ? problem.message : String(problem))
