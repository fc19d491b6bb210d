/** What of the fleet and its areas is being written down, one thing at a time; which, stands in the address. */

import type { Address } from './address.svelte'
import type { LatLon } from './picking.svelte'

const COURIER = 'courier-'

export class Editing {
  /** Of the area that is being drawn; null: none is. */
  corners = $state.raw<readonly LatLon[] | null>(null)

  constructor(private readonly address: Address) {}

  /** The id of a courier, or `new`. */
  get courier(): string | null {
    const { opened } = this.address
    return opened?.startsWith(COURIER) ? opened.slice(COURIER.length) : null
  }
  /** The areas of the region. */
  get areas(): boolean {
    return this.address.opened === 'areas'
  }
  get isOpen(): boolean {
    return this.areas || this.courier !== null
  }

  open(what: { courier: string } | 'areas'): void {
    this.corners = null
    this.address.setOpened(what === 'areas' ? what : COURIER + what.courier)
  }
  close(): void {
    this.corners = null
    if (this.isOpen) this.address.setOpened(null)
  }
  move(index: number, place: LatLon): void {
    this.corners = this.corners?.map((corner, n) => (n === index ? place : corner)) ?? null
  }
}
