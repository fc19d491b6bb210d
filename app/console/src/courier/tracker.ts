/** Where the phone is, while the page is open and its courier at work; the screen stays on meanwhile. */

import { metresBetween } from '../lib/format'
import type { Fix } from './shapes'

const EVERY_MS = 10_000
const MOVED_M = 20
const AT_LEAST_MS = 3000

/** Whether a place is worth keeping after the last one that was kept. */
export function isNews(last: Fix | null, fix: Fix): boolean {
  if (!last) return true
  const apart = Date.parse(fix.fixed_at) - Date.parse(last.fixed_at)
  if (apart >= EVERY_MS) return true
  return apart >= AT_LEAST_MS && metresBetween(last, fix) >= MOVED_M
}

/** As the API takes it: what a phone does not know is left out. */
export function fixOf({ coords, timestamp }: GeolocationPosition): Fix {
  const fix: Fix = { fixed_at: new Date(timestamp).toISOString(), lat: coords.latitude, lon: coords.longitude }
  if (coords.accuracy >= 0) fix.accuracy_m = coords.accuracy
  if (coords.speed !== null && coords.speed >= 0) fix.speed_mps = coords.speed
  if (coords.heading !== null && coords.heading >= 0) fix.course_deg = coords.heading % 360
  return fix
}

export class Tracker {
  private watch: number | null = null
  private lock: WakeLockSentinel | null = null
  private last: Fix | null = null

  constructor(
    private readonly at: (fix: Fix, isNews: boolean) => void,
    private readonly isRefused: (refused: boolean) => void,
  ) {
    document.addEventListener('visibilitychange', () => void this.hold())
  }

  start(): void {
    if (this.watch !== null || !('geolocation' in navigator)) return
    this.watch = navigator.geolocation.watchPosition(
      (position) => {
        const fix = fixOf(position)
        const news = isNews(this.last, fix)
        if (news) this.last = fix
        this.isRefused(false)
        this.at(fix, news)
      },
      (error) => this.isRefused(error.code === error.PERMISSION_DENIED),
      { enableHighAccuracy: true, maximumAge: 2000 },
    )
    void this.hold()
  }

  stop(): void {
    if (this.watch !== null) navigator.geolocation.clearWatch(this.watch)
    this.watch = null
    void this.lock?.release()
    this.lock = null
  }

  /** Browsers let go of the screen whenever the page is hidden. */
  private async hold(): Promise<void> {
    if (this.watch === null || document.hidden || (this.lock && !this.lock.released)) return
    this.lock = (await navigator.wakeLock?.request('screen').catch(() => null)) ?? null // a low battery refuses
  }
}
