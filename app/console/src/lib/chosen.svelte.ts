/** The track and the route of the chosen courier: what the map draws and the courier's panel tells. */

import { untrack } from 'svelte'
import * as api from './api'
import { type ShownStop, stopsOfOrder, stopsOfRoute } from './stops'
import type { Store } from './store.svelte'
import type { Route } from './types'
import type { Position, TrackFeature } from './undescribed'
import type { Fix } from '../map/shapes'

const TRACK_MS = 3_600_000

export class Chosen {
  /** The last hour, then whatever comes in. */
  track = $state.raw<readonly Fix[]>([])
  trackState = $state<'loading' | 'ready' | 'failed'>('loading')
  route = $state.raw<Route | null>(null)
  /** Both ends of an opened order that nobody has, else the courier's route. */
  readonly stops: readonly ShownStop[] = $derived.by(() => {
    const order = this.store.order
    if (order && !order.courier_id) return stopsOfOrder(order)
    return this.route ? stopsOfRoute(this.route, this.store.lists.orders) : []
  })

  /** To be made while a component is: it follows the store's choice as long as that lives. */
  constructor(private readonly store: Store) {
    $effect(() => {
      const id = store.courierId
      this.track = []
      this.route = null
      if (id) void this.readTrack(id)
    })
    $effect(() => {
      const position = store.selected?.position
      if (position) untrack(() => this.extend(position))
    })
    $effect(() => {
      const id = store.courierId
      void store.routeVersion
      if (id) void this.readRoute(id)
    })
    // An order in the address may be older than what is listed.
    $effect(() => {
      const [id, orders] = [store.address.orderId, store.lists.orders]
      if (id && orders && !orders.has(id)) void store.lists.readOrder(id).catch(() => undefined)
    })
  }

  private async readTrack(id: string): Promise<void> {
    this.trackState = 'loading'
    const now = untrack(() => this.store.now)
    const span = `from=${new Date(now - TRACK_MS).toISOString()}&to=${new Date(now + 60_000).toISOString()}`
    try {
      const feature = await api.get<TrackFeature>(`/v1/couriers/${id}/track?${span}&resolution=raw&format=geojson`)
      if (this.store.courierId !== id) return
      const times = feature.properties.fixed_at ?? []
      const known = (feature.geometry?.coordinates ?? []).map((place, i) => ({
        lon: place[0]!,
        lat: place[1]!,
        at: Date.parse(times[i] ?? ''),
      }))
      const newest = known.at(-1)?.at ?? 0
      this.track = [...known, ...(this.store.rows.trails.get(id) ?? []).filter((fix) => fix.at > newest)]
      this.trackState = 'ready'
    } catch {
      if (this.store.courierId === id) this.trackState = 'failed'
    }
  }

  private extend({ lat, lon, fixed_at }: Position): void {
    const at = Date.parse(fixed_at)
    if (this.trackState === 'ready' && at > (this.track.at(-1)?.at ?? 0))
      this.track = [...this.track, { lat, lon, at }].filter((fix) => fix.at > at - TRACK_MS)
  }

  private async readRoute(id: string): Promise<void> {
    const route = await api.find<Route>(`/v1/couriers/${id}/route`).catch(() => undefined)
    if (route !== undefined && this.store.courierId === id) this.route = route
  }
}
