/** The past hour that is looked at: its track, its stays, and the hand that goes through it. */

import { untrack } from 'svelte'
import * as api from './api'
import { HOUR_MS, placeAt, spansOf, staysOf } from './replay'
import type { Store } from './store.svelte'
import type { MatchedTo, Page, Segment, TrackFeature } from './undescribed'
import type { Fix } from '../map/shapes'

const TICK_MS = 200

export class Replay {
  fixes = $state.raw<readonly Fix[]>([])
  segments = $state.raw<readonly Segment[]>([])
  state = $state<'loading' | 'ready' | 'failed'>('loading')
  /** Where the hand is. */
  at = $state(0)
  speed = $state(15)
  /** Whether the way is wanted along the streets, and who knew them. */
  isOnStreets = $state(true)
  matched = $state.raw<MatchedTo | null>(null)
  isPlaying = $state(false)
  readonly from: number | null = $derived.by(() => (this.store.courierId ? this.store.address.past : null))
  readonly to: number = $derived((this.from ?? 0) + HOUR_MS)
  readonly place = $derived(placeAt(this.fixes, this.at))
  readonly stays = $derived(staysOf(this.segments))
  readonly spans = $derived(spansOf(this.fixes, this.segments, this.from ?? 0, this.to))

  /** To be made while a component is. */
  constructor(private readonly store: Store) {
    $effect(() => {
      const [id, from, isOnStreets] = [store.courierId, this.from, this.isOnStreets]
      this.fixes = []
      this.matched = null
      this.segments = []
      this.isPlaying = false
      if (!id || from === null) return
      untrack(() => {
        // The other line of the same hour: the hand stays where it is.
        if (this.at < from || this.at > from + HOUR_MS) this.at = from
      })
      void this.read(id, from, isOnStreets)
    })
    $effect(() => {
      if (!this.isPlaying) return
      let before = performance.now()
      const timer = setInterval(() => {
        const now = performance.now()
        this.moveTo(this.at + (now - before) * this.speed)
        before = now
        if (this.at >= this.to) this.isPlaying = false
      }, TICK_MS)
      return () => clearInterval(timer)
    })
  }

  moveTo(at: number): void {
    this.at = Math.min(this.to, Math.max(this.from ?? 0, at))
  }

  play(): void {
    if (this.at >= this.to) this.at = this.from ?? 0
    this.isPlaying = !this.isPlaying
  }

  /** The track as a file, or as the map draws it. */
  trackUrl(format: string, id = this.store.courierId, from = this.from ?? 0): string {
    const span = `from=${new Date(from).toISOString()}&to=${new Date(from + HOUR_MS).toISOString()}`
    return `/v1/couriers/${id}/track?${span}&resolution=raw&format=${format}${this.isOnStreets ? '&matched=true' : ''}`
  }

  private async read(id: string, from: number, isOnStreets: boolean): Promise<void> {
    this.state = 'loading'
    const isWanted = () => this.store.courierId === id && this.from === from && this.isOnStreets === isOnStreets
    const span = `from=${new Date(from).toISOString()}&to=${new Date(from + HOUR_MS).toISOString()}`
    try {
      const [track, segments] = await Promise.all([
        api.get<TrackFeature>(this.trackUrl('geojson', id, from)),
        api.get<Page<Segment>>(`/v1/couriers/${id}/stops?${span}`),
      ])
      if (!isWanted()) return
      const times = track.properties.fixed_at ?? []
      this.fixes = (track.geometry?.coordinates ?? []).map(([lon, lat], i) => ({ lon: lon!, lat: lat!, at: Date.parse(times[i] ?? '') }))
      this.segments = segments.items
      this.matched = track.properties.matched ?? null
      untrack(() => this.at === from && this.moveTo(this.fixes[0]?.at ?? from))
      this.state = 'ready'
    } catch {
      if (isWanted()) this.state = 'failed'
    }
  }
}
