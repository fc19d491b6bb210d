/** Geometry for the layers; all pure. */

import { metresBetween } from '../lib/format'

export const EMPTY: GeoJSON.FeatureCollection = { type: 'FeatureCollection', features: [] }

/** A circle of so many metres around a place, as a polygon. */
export function circle(lat: number, lon: number, radiusM: number): GeoJSON.Feature {
  const latRadius = radiusM / 111_195
  const lonRadius = latRadius / Math.max(0.01, Math.cos((lat * Math.PI) / 180))
  const ring = Array.from({ length: 65 }, (_, i) => {
    const angle = (i * 2 * Math.PI) / 64
    return [lon + lonRadius * Math.cos(angle), lat + latRadius * Math.sin(angle)]
  })
  return { type: 'Feature', properties: {}, geometry: { type: 'Polygon', coordinates: [ring] } }
}

export interface Fix {
  lat: number
  lon: number
  at: number
}

/** A pause longer than this between two fixes is drawn as a gap: we do not know the way. */
export const GAP_MS = 120_000
const FAR_M = 500

/** A track as runs of known way and dashed gaps between them. */
export function track(fixes: readonly Fix[]): GeoJSON.FeatureCollection {
  const features: GeoJSON.Feature[] = []
  let run: number[][] = []
  const add = (coordinates: number[][], gap: boolean) => {
    if (coordinates.length > 1)
      features.push({ type: 'Feature', properties: { gap }, geometry: { type: 'LineString', coordinates } })
  }
  let before: Fix | undefined
  for (const fix of fixes) {
    if (before && fix.at - before.at > GAP_MS) {
      add(run, false)
      if (metresBetween(before, fix) > FAR_M / 10) add([[before.lon, before.lat], [fix.lon, fix.lat]], true)
      run = []
    }
    run.push([fix.lon, fix.lat])
    before = fix
  }
  add(run, false)
  return { type: 'FeatureCollection', features }
}

/** Metres along the track, gaps left out. */
export function lengthM(fixes: readonly Fix[]): number {
  let sum = 0
  for (let i = 1; i < fixes.length; i++)
    if (fixes[i]!.at - fixes[i - 1]!.at <= GAP_MS) sum += metresBetween(fixes[i - 1]!, fixes[i]!)
  return sum
}
