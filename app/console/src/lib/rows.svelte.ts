/** Couriers as the list and the map show them: who they are, where, how long ago, and in which state. */

import { byName, type Filter, listing, type Row, type State } from './filter'
import { shortId } from './format'
import type { Lists } from './lists.svelte'
import { isOpen } from './orders'
import type { Alert, AlertKind, Courier, Order } from './types'
import type { Config, Frame, Position } from './undescribed'
import type { Fix } from '../map/shapes'

const TRAIL_MS = 180_000
const LATE_KINDS = new Set<AlertKind>(['late', 'late_risk'])
const STUCK_KINDS = new Set<AlertKind>(['stuck', 'off_route'])

export class Rows {
  // Positions change often, so they live in plain maps; `version` tells the page to look again.
  readonly positions = new Map<string, Position>()
  readonly trails = new Map<string, Fix[]>()
  private version = $state(0)
  private frame = 0

  /** What was made last: a row stays the same object for as long as nothing of it changes. */
  private made: ReadonlyMap<string, Row> = new Map()
  /** The ids of the couriers by name, which change seldom: comparing thousands of names each second would be felt. */
  private readonly byName: readonly string[] = $derived.by(() =>
    [...this.lists.couriers.values()].sort((a, b) => byName(nameOf(a.id, a), nameOf(b.id, b))).map(({ id }) => id),
  )
  readonly byId: ReadonlyMap<string, Row> = $derived.by(() => {
    void this.version
    return (this.made = this.make(this.now()))
  })
  /** Every courier, urgent or not, by name. */
  readonly all: readonly Row[] = $derived([...this.byId.values()])
  readonly listed = $derived.by(() => listing(this.all, this.filter()))

  constructor(
    private readonly lists: Lists,
    private readonly now: () => number,
    private readonly filter: () => Filter,
    private readonly config: () => Config | null,
    /** Called just before the page looks again. */
    private readonly beat: () => void,
  ) {}

  /** What moved and who left; says who is in it whom the list of couriers does not know. */
  take(frame: Frame): string[] {
    const strangers: string[] = []
    for (const position of frame.positions) {
      this.positions.set(position.courier_id, position)
      if (!this.lists.couriers.has(position.courier_id)) strangers.push(position.courier_id)
      const at = Date.parse(position.fixed_at)
      const trail = this.trails.get(position.courier_id) ?? []
      if (!trail.length || at > trail.at(-1)!.at) trail.push({ lat: position.lat, lon: position.lon, at })
      while (trail.length && trail[0]!.at < at - TRAIL_MS) trail.shift()
      this.trails.set(position.courier_id, trail)
    }
    for (const id of frame.gone ?? []) this.positions.delete(id)
    this.changed()
    return strangers
  }

  forget(id: string): void {
    this.positions.delete(id)
    this.changed()
  }

  empty(): void {
    this.positions.clear()
    this.trails.clear()
    this.changed()
  }

  private changed(): void {
    cancelAnimationFrame(this.frame)
    // A hidden page gets no animation frames, and needs none.
    this.frame = requestAnimationFrame(() => {
      this.beat()
      this.version++
    })
  }

  private make(now: number): Map<string, Row> {
    const load = loads(this.lists.everyOrder)
    const trouble = troubles(this.lists.openAlerts)
    const made = new Map<string, Row>()
    const couriers = this.lists.couriers
    const strangers = [...this.positions.keys()].filter((id) => !couriers.has(id))
    for (const ids of [this.byName, strangers])
      for (const id of ids) {
        const [courier, position, before] = [couriers.get(id) ?? null, this.positions.get(id) ?? null, this.made.get(id)]
        const seenAt = before && before.position === position ? before.seenAt : position ? Date.parse(position.fixed_at) : -Infinity
        const nOrders = load.get(id) ?? 0
        const state = trouble.get(id) ?? this.presence((now - seenAt) / 1000, nOrders)
        const isSame =
          before && before.courier === courier && before.position === position && before.nOrders === nOrders && before.state === state
        made.set(id, isSame ? before : { id, name: nameOf(id, courier), courier, position, seenAt, nOrders, state })
      }
    return made
  }

  private presence(ageS: number, nOrders: number): State {
    if (ageS >= (this.config()?.stale_within_s ?? 600)) return 'offline'
    if (ageS >= (this.config()?.online_within_s ?? 60)) return 'stale'
    return nOrders ? 'busy' : 'online'
  }
}

const nameOf = (id: string, courier: Courier | null): string => courier?.name || courier?.external_id || shortId(id)

/** How many open orders each courier has. */
function loads(orders: readonly Order[]): Map<string, number> {
  const load = new Map<string, number>()
  for (const order of orders)
    if (order.courier_id && isOpen(order)) load.set(order.courier_id, (load.get(order.courier_id) ?? 0) + 1)
  return load
}

/** The worst that the open alerts say of each courier. */
function troubles(alerts: readonly Alert[]): Map<string, State> {
  const trouble = new Map<string, State>()
  for (const { courier_id: id, kind } of alerts)
    if (id === null) continue // of an order, or of everybody
    else if (STUCK_KINDS.has(kind)) trouble.set(id, 'stuck')
    else if (LATE_KINDS.has(kind) && trouble.get(id) !== 'stuck') trouble.set(id, 'late')
  return trouble
}
