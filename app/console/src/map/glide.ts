/** Markers that move glide to their new places instead of jumping there; pure, the time is told. */

/** Of a plane, in any unit. */
export interface Point {
  x: number
  y: number
}

export interface Way {
  from: Point
  to: Point
}

const GLIDE_MS = 900
/** A frame that comes later than this is over its budget. */
const SLOW_MS = 250
const MOST_SLOW = 3
const REST_MS = 10_000

/** `share` of the way from one place to another. */
export function between({ from, to }: Way, share: number): Point {
  return { x: from.x + (to.x - from.x) * share, y: from.y + (to.y - from.y) * share }
}

export class Glide {
  private ways = new Map<string, Way>()
  private startedAt = -Infinity
  private isGliding = false
  private shownAt = 0
  private nSlow = 0
  private restsUntil = -Infinity

  way(id: string): Way | undefined {
    return this.ways.get(id)
  }

  /** Everybody has a place; from where they are shown now they glide there, if that `isWanted` and the machine bears it. */
  to(places: ReadonlyMap<string, Point>, isWanted: boolean, now: number): void {
    const share = this.share(now)
    const ways = new Map<string, Way>()
    let nMoving = 0
    for (const [id, to] of places) {
      const before = this.ways.get(id)
      let from = before ? between(before, share) : to
      // Somebody who crosses the edge of the map does not glide around the world.
      if (Math.abs(to.x - from.x) > 0.5) from = to
      if (from.x !== to.x || from.y !== to.y) nMoving++
      ways.set(id, { from, to })
    }
    this.ways = ways
    this.isGliding = isWanted && nMoving > 0 && now >= this.restsUntil
    this.startedAt = this.shownAt = now
    this.nSlow = 0
  }

  /** How much of the ways is behind them, 0 to 1; to be asked once a frame: where frames are slow, gliding rests. */
  share(now: number): number {
    if (!this.isGliding) return 1
    if (now - this.shownAt > SLOW_MS && ++this.nSlow >= MOST_SLOW) {
      this.restsUntil = now + REST_MS
      this.isGliding = false
      return 1
    }
    this.shownAt = now
    const gone = Math.min(1, Math.max(0, (now - this.startedAt) / GLIDE_MS))
    if (gone === 1) this.isGliding = false
    return gone * (2 - gone)
  }
}
