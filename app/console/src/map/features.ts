/** What the page knows, as features for the layers; all pure. */

import { ageOf, STATES, type Row } from '../lib/filter'
import { age } from '../lib/format'
import { isOpen } from '../lib/orders'
import { type ShownStop, stopsOfOrder } from '../lib/stops'
import type { Order } from '../lib/types'
import type { Stay } from '../lib/replay'
import type { Geofence } from '../lib/undescribed'
import type { Drawn } from './changes'
import { COLOURS, type OrderTone } from './icons'
import { circle, type Fix } from './shapes'

export interface Point {
  lat: number
  lon: number
}

type Features = GeoJSON.FeatureCollection
const collection = (features: GeoJSON.Feature[]): Features => ({ type: 'FeatureCollection', features })

/** In which direction somebody goes, in degrees; -1 where nobody can say. */
export function courseOf({ position, state }: Row): number {
  const course = position?.course_deg
  return course != null && state !== 'offline' && (position?.speed_mps ?? 1) > 0.3 ? course : -1
}

/** Longer than most phones are silent. */
const STEP_S = 10

/** How old a fix is, in full steps: what has not moved is not drawn anew each second. Nothing is said of one that is fresh. */
export const oldness = (ageS: number): string => (ageS < STEP_S ? '' : age(ageS < 60 ? Math.floor(ageS / STEP_S) * STEP_S : ageS))

/** Everybody who has been seen, where they are. */
export function* couriers(rows: readonly Row[], selectedId: string | null, now: number): Iterable<Drawn> {
  for (const row of rows) {
    const { id, name, state, position } = row
    if (!position) continue
    const [old, selected] = [oldness(ageOf(row, now)), id === selectedId]
    yield {
      id,
      signs: [row, old, selected],
      make: () => ({
        type: 'Feature',
        properties: {
          id,
          state,
          rank: STATES.indexOf(state),
          course: courseOf(row),
          name,
          age: old,
          selected,
          urgent: state === 'stuck' || state === 'late' ? 1 : 0,
        },
        geometry: { type: 'Point', coordinates: [position.lon, position.lat] },
      }),
    }
  }
}

/** The last way of each, as it is kept with the rows: it grows with every position. */
export function* trails(rows: readonly Row[], runs: ReadonlyMap<string, readonly Fix[]>): Iterable<Drawn> {
  for (const { id, state, position } of rows) {
    const fixes = runs.get(id) ?? []
    if (fixes.length < 2) continue
    yield {
      id,
      signs: [position, state],
      make: () => ({
        type: 'Feature',
        properties: { id, colour: COLOURS[state] },
        geometry: { type: 'LineString', coordinates: fixes.map((fix) => [fix.lon, fix.lat]) },
      }),
    }
  }
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

/** Every route from where its courier is, by straight lines; the chosen one stands out. */
export function routes(list: Iterable<readonly [string, readonly Point[]]>, chosenId: string | null): Features {
  return collection(
    [...list].flatMap(([id, points]) =>
      points.length < 2
        ? []
        : {
            type: 'Feature',
            properties: { id, chosen: id === chosenId },
            geometry: { type: 'LineString', coordinates: points.map(({ lat, lon }) => [lon, lat]) },
          },
    ),
  )
}

function toneOf(order: Order, now: number): OrderTone {
  const due = order.dropoff.window?.to ?? order.dropoff.latest
  if (due && Date.parse(due) < now) return 'late'
  if (!order.courier_id) return 'unassigned'
  return ['picked_up', 'returning'].includes(order.state) ? 'onBoard' : 'assigned'
}

/** The ends of orders that are still to be visited. */
export function orders(list: readonly Order[], now: number): Features {
  return collection(
    list.filter(isOpen).flatMap((order) =>
      stopsOfOrder(order)
        .filter((stop) => !stop.isDone)
        .map(({ kind, lat, lon }) => ({
          type: 'Feature' as const,
          properties: { order_id: order.id, icon: `order-${kind}-${toneOf(order, now)}` },
          geometry: { type: 'Point' as const, coordinates: [lon, lat] },
        })),
    ),
  )
}

/** Ways that orders go, before and after a plan. */
export function ways(list: readonly { after: boolean; points: readonly Point[] }[]): Features {
  return collection(
    list.flatMap(({ after, points }) =>
      points.length < 2
        ? []
        : {
            type: 'Feature' as const,
            properties: { after },
            geometry: { type: 'LineString' as const, coordinates: points.map(({ lat, lon }) => [lon, lat]) },
          },
    ),
  )
}

/** A past hour: the stays with how long they were, and where the courier was. */
export function replay(place: Point | null, stays: readonly Stay[]): Features {
  const point = ({ lat, lon }: Point, properties: GeoJSON.GeoJsonProperties): GeoJSON.Feature => ({
    type: 'Feature',
    properties,
    geometry: { type: 'Point', coordinates: [lon, lat] },
  })
  return collection([
    ...stays.map((stay) => point(stay, { kind: 'stay', text: age(stay.durationS) })),
    ...(place ? [point(place, { kind: 'place' })] : []),
  ])
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
