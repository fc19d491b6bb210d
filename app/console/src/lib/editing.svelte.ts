/** What of the fleet and its areas is being written down, one thing at a time. */

export class Editing {
  /** The id of a courier, or `new`. */
  courier = $state<string | null>(null)
  /** The areas of the region. */
  areas = $state(false)

  open(what: { courier: string } | 'areas'): void {
    this.areas = what === 'areas'
    this.courier = what === 'areas' ? null : what.courier
  }
  close(): void {
    this.areas = false
    this.courier = null
  }
}
