/** Shapes that the API's OpenAPI leaves out or leaves vague, by hand; each says why. Times are RFC 3339. */

import type { components } from './openapi'

type Shapes = components['schemas']

/** A list: the OpenAPI has one such shape for every kind of item, named after the module where it is defined. */
export interface Page<T> {
  items: T[]
  next?: string | null
}

// The OpenAPI describes a stream as text, whatever it carries.

/** In a frame, a position is as elsewhere, without what no marker shows. */
export type Position = Omit<Shapes['PositionView'], 'altitude_m' | 'mode'>

/** `snapshot` and `delta`. */
export interface Frame {
  at: string
  positions: Position[]
  gone?: string[]
}

export interface Pulse {
  at: string
  as_of: string
  connected: boolean
}

/** What happened: `order`, `alert` and so on, with the ids that it is about. */
export type Happening = Record<string, unknown> & { type: string; at: string }

// A file in one of four formats is described as text, too.

export interface TrackFeature {
  geometry: GeoJSON.LineString | null
  properties: { fixed_at: string[] | null; matched?: MatchedTo }
}

/** Who knew the streets under a track, and of how much of it; or why nobody did. */
export interface MatchedTo {
  by: string | null
  share: number
  why: 'no_fixes' | 'no_engine' | 'no_answer' | 'too_many_fixes' | null
}

/** What a courier did, one after the other: the OpenAPI tells the kinds apart by no field. */
export type Segment =
  | (Shapes['StayView'] & { kind: 'stay' })
  | (Shapes['TripView'] & { kind: 'trip' })
  | (Shapes['GapView'] & { kind: 'gap' })

/** GeoJSON is any object to the OpenAPI. */
export type Geofence = Omit<Shapes['Geofence'], 'geometry'> & { geometry: GeoJSON.Geometry }

// What lies under /ui is between the page and its server and is left out of the OpenAPI.

export type Role = 'courier' | 'place' | 'viewer' | 'auditor' | 'support' | 'dispatcher' | 'admin' | 'service'

export interface Config {
  version: string
  map_style_url: string
  map_attribution: string
  online_within_s: number
  stale_within_s: number
  demo: boolean
  sign_in_with: string
}

// Only the API of the demo has it, and the OpenAPI describes every API.

/** What was broken, for `POST /v1/demo/break`. */
export interface Broken {
  text: string
  courier_id?: string
}
