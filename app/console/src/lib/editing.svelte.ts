/** What of the fleet and its areas is being written down, one thing at a time. */

import type { LatLon } from './picking.svelte'

export class Editing {
  /** The id of a courier, or `new`. */
  courier = $state<string | null>(null)
  /** The areas of the region. */
  areas = $state(false)
  /** Of the area that is being drawn; null: none is. */
  corners = $state.raw<readonly LatLon[] | null>(null)

  open(what: { courier: string } | 'areas'): void {
    this.corners = null
    this.areas = what === 'areas'
    this.courier = what === 'areas' ? null : what.courier
  }
  close(): void {
    this.areas = false
    this.courier = this.corners = null
  }
  move(index: number, place: LatLon): void {
    this.corners = this.corners?.map((corner, n) => (n === index ? place : corner)) ?? null
  }
}
