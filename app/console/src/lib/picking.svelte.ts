/** A place is being asked for: the next click on the map answers. */

export interface LatLon {
  lat: number
  lon: number
}

export class Picking {
  /** What the place is for, in words; null while nobody asks. */
  wanted = $state<string | null>(null)
  private answer: ((place: LatLon | null) => void) | null = null

  /** Null when somebody else asks, or nobody wants to know any more. */
  ask(what: string): Promise<LatLon | null> {
    this.cancel()
    this.wanted = what
    return new Promise((resolve) => (this.answer = resolve))
  }

  /** Whether the click was waited for. */
  take(place: LatLon): boolean {
    if (!this.answer) return false
    this.end(place)
    return true
  }

  cancel(): void {
    this.end(null)
  }

  private end(place: LatLon | null): void {
    const { answer } = this
    this.answer = null
    this.wanted = null
    answer?.(place)
  }
}

/** "41.15, -8.61" as people paste it; null when it is not a place on the globe. */
export function placeIn(text: string): LatLon | null {
  const found = /^\s*\(?\s*(-?\d+(?:\.\d+)?)\s*[,;\s]\s*(-?\d+(?:\.\d+)?)\s*\)?\s*$/.exec(text)
  if (!found) return null
  const [lat, lon] = [Number(found[1]), Number(found[2])]
  return Math.abs(lat) <= 90 && Math.abs(lon) <= 180 ? { lat, lon } : null
}
