/** What the page shows beside the first list and the map. */

import { Lazy } from '../lib/lazy.svelte'

export const lazies = {
  account: new Lazy(() => import('./Account.svelte')),
  administration: new Lazy(() => import('../admin/Administration.svelte')),
  alertList: new Lazy(() => import('./AlertList.svelte')),
  areas: new Lazy(() => import('./fleet/Areas.svelte')),
  board: new Lazy(() => import('./board/Board.svelte')),
  courierForm: new Lazy(() => import('./fleet/CourierForm.svelte')),
  courierPanel: new Lazy(() => import('./CourierPanel.svelte')),
  level: new Lazy(() => import('./ServiceLevel.svelte')),
  login: new Lazy(() => import('./Login.svelte')),
  newOrder: new Lazy(() => import('./NewOrder.svelte')),
  orderList: new Lazy(() => import('./OrderList.svelte')),
  orderPanel: new Lazy(() => import('./OrderPanel.svelte')),
  past: new Lazy(() => import('./ReplayPanel.svelte')),
  password: new Lazy(() => import('./SetPassword.svelte')),
  plan: new Lazy(() => import('./plan/PlanPanel.svelte')),
}

const USUAL = [lazies.courierPanel, lazies.orderList, lazies.orderPanel, lazies.alertList]

/** What is opened at every turn, so that nobody waits for it then; one after the other, for there is no hurry. */
export async function loadUsual(): Promise<void> {
  for (const one of USUAL) await one.load()
}
