/** Areas as they are drawn, corner by corner, and as the API takes them: GeoJSON. */

import type { LatLon } from './picking.svelte'

/** What a form can change: anything else of an area is kept as it was written. */
export interface AreaSheet {
  name: string
  /** Separated by commas. */
  tags: string
  /** GeoJSON, as text. */
  shape: string
}

const DIGITS = 6
const rounded = (value: number) => Number(value.toFixed(DIGITS))

/** The area within those corners; null for fewer than three. */
export function polygonOf(corners: readonly LatLon[]): GeoJSON.Polygon | null {
  if (corners.length < 3) return null
  const ring = corners.map(({ lat, lon }) => [rounded(lon), rounded(lat)])
  return { type: 'Polygon', coordinates: [[...ring, ring[0]!]] }
}

/** The corners of an area without holes and in one piece; null: it can only be changed as text. */
export function cornersOf(geometry: GeoJSON.Geometry | null): LatLon[] | null {
  if (geometry?.type !== 'Polygon' || geometry.coordinates.length !== 1) return null
  return geometry.coordinates[0]!.slice(0, -1).map(([lon, lat]) => ({ lat: lat!, lon: lon! }))
}

/** A Polygon or MultiPolygon, also as the geometry of a Feature; null: it is none. */
export function shapeIn(text: string): GeoJSON.Polygon | GeoJSON.MultiPolygon | null {
  try {
    const parsed = JSON.parse(text) as GeoJSON.Feature | GeoJSON.Geometry
    const geometry = parsed.type === 'Feature' ? parsed.geometry : parsed
    const isArea = geometry?.type === 'Polygon' || geometry?.type === 'MultiPolygon'
    return isArea && Array.isArray(geometry.coordinates) ? geometry : null
  } catch {
    return null
  }
}

export const tagsOf = (text: string): string[] => text.split(',').map((tag) => tag.trim()).filter(Boolean)
