/** What of a source is new, gone or another since the last time, so that the map's worker is told nothing twice. */

import type { GeoJSONSourceDiff } from 'maplibre-gl'

export interface Drawn {
  id: string
  /** As long as these are the same, so is the feature. */
  signs: readonly unknown[]
  make: () => GeoJSON.Feature
}

export class Changes {
  private readonly known = new Map<string, { signs: readonly unknown[]; feature: GeoJSON.Feature }>()

  /** Everything, for a source that begins anew. */
  get all(): GeoJSON.FeatureCollection {
    return { type: 'FeatureCollection', features: [...this.known.values()].map(({ feature }) => feature) }
  }

  /** What there is now; null where nothing changed. Features are told apart by `properties.id`. */
  to(drawn: Iterable<Drawn>): GeoJSONSourceDiff | null {
    const add: GeoJSON.Feature[] = []
    const left = new Set(this.known.keys())
    for (const { id, signs, make } of drawn) {
      left.delete(id)
      if (this.known.get(id)?.signs.every((sign, i) => sign === signs[i])) continue
      const feature = make()
      this.known.set(id, { signs, feature })
      add.push(feature)
    }
    for (const id of left) this.known.delete(id)
    return add.length || left.size ? { add, remove: [...left] } : null
  }
}
