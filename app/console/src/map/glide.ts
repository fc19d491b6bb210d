/** Markers that move glide to their new places instead of jumping there. */

import type { Point } from './features'

/** For so long, at so many frames a second, when they are few enough to be cheap. */
const GLIDE_MS = 900
const GLIDE_FRAME_MS = 50
const GLIDE_MOST = 400

/** `share` of the way from one place to another. */
export function between(from: Point, to: Point, share: number): Point {
  // Somebody who crosses the antimeridian does not glide around the world.
  if (share >= 1 || Math.abs(to.lon - from.lon) >= 1) return to
  return { lat: from.lat + (to.lat - from.lat) * share, lon: from.lon + (to.lon - from.lon) * share }
}

export class Glide {
  private shown: ReadonlyMap<string, Point> = new Map()
  private frame = 0

  constructor(private readonly draw: (places: ReadonlyMap<string, Point>) => void) {}

  stop(): void {
    cancelAnimationFrame(this.frame)
  }

  /** Draws everybody at their new place, on the way there first where that `isWanted` and cheap. */
  to(next: ReadonlyMap<string, Point>, isWanted: boolean): void {
    this.stop()
    const from = this.shown
    let nMoved = 0
    for (const [id, { lat, lon }] of next) {
      const before = from.get(id)
      if (before && (before.lat !== lat || before.lon !== lon)) nMoved++
    }
    if (!isWanted || !nMoved || nMoved > GLIDE_MOST) return this.place(next)
    const startedAt = performance.now()
    let drawnAt = -Infinity
    const step = (at: number) => {
      const share = Math.min(1, (at - startedAt) / GLIDE_MS)
      if (share === 1 || at - drawnAt >= GLIDE_FRAME_MS) {
        drawnAt = at
        const eased = share * (2 - share)
        this.place(new Map([...next].map(([id, to]) => [id, between(from.get(id) ?? to, to, eased)])))
      }
      if (share < 1) this.frame = requestAnimationFrame(step)
    }
    this.frame = requestAnimationFrame(step)
  }

  private place(places: ReadonlyMap<string, Point>): void {
    this.shown = places
    this.draw(places)
  }
}
