/** What the page knows, as features for the layers; all pure. */

import { STATES, type Row } from '../lib/filter'
import { age } from '../lib/format'
import type { ShownStop } from '../lib/stops'
import type { Geofence } from '../lib/undescribed'
import { COLOURS } from './icons'
import { circle, type Fix } from './shapes'

export interface Point {
  lat: number
  lon: number
}

type Features = GeoJSON.FeatureCollection
const collection = (features: GeoJSON.Feature[]): Features => ({ type: 'FeatureCollection', features })

/** The rows at their places, which lie on the way to their positions while they glide. */
export function couriers(rows: readonly Row[], places: ReadonlyMap<string, Point>, selectedId: string | null): Features {
  return collection(
    rows.flatMap((row) => {
      const at = places.get(row.id)
      if (!at || !row.position) return []
      const { course_deg: course, speed_mps: speed } = row.position
      return {
        type: 'Feature',
        properties: {
          id: row.id,
          state: row.state,
          rank: STATES.indexOf(row.state),
          course: course != null && row.state !== 'offline' && (speed ?? 1) > 0.3 ? course : -1,
          name: row.name,
          age: age(row.ageS),
          selected: row.id === selectedId,
          urgent: row.state === 'stuck' || row.state === 'late' ? 1 : 0,
        },
        geometry: { type: 'Point', coordinates: [at.lon, at.lat] },
      }
    }),
  )
}

export function trails(runs: Iterable<readonly [Row['state'], readonly Fix[]]>): Features {
  return collection(
    [...runs].flatMap(([state, fixes]) =>
      fixes.length < 2
        ? []
        : {
            type: 'Feature',
            properties: { colour: COLOURS[state] },
            geometry: { type: 'LineString', coordinates: fixes.map((fix) => [fix.lon, fix.lat]) },
          },
    ),
  )
}

export function line(coordinates: readonly number[][]): Features {
  return collection(
    coordinates.length > 1
      ? [{ type: 'Feature', properties: {}, geometry: { type: 'LineString', coordinates: [...coordinates] } }]
      : [],
  )
}

export function stops(list: readonly ShownStop[]): Features {
  return collection(
    list.map(({ order_id, kind, number, isDone, lat, lon }) => ({
      type: 'Feature',
      properties: { order_id, kind, number: String(number), done: isDone },
      geometry: { type: 'Point', coordinates: [lon, lat] },
    })),
  )
}

/** A fence is an area, or a circle around a point. */
export function fences(list: readonly Geofence[]): Features {
  return collection(
    list.map(({ name, geometry, radius_m }) => ({
      ...(geometry.type === 'Point'
        ? circle(geometry.coordinates[1]!, geometry.coordinates[0]!, radius_m ?? 0)
        : { type: 'Feature', geometry }),
      properties: { name },
    })),
  )
}
