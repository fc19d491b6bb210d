/** The API's shapes, as far as the console reads them. Times are RFC 3339, distances metres, durations seconds. */

export type Mode = 'car' | 'motorcycle' | 'bicycle' | 'foot'
export type Role = 'courier' | 'viewer' | 'support' | 'dispatcher' | 'admin' | 'service'

export interface Position {
  courier_id: string
  fixed_at: string
  received_at: string
  lat: number
  lon: number
  accuracy_m: number | null
  speed_mps: number | null
  course_deg: number | null
  battery_pct: number | null
}

export interface Courier {
  id: string
  name: string | null
  mode: Mode
  region: string
  external_id?: string | null
  on_duty?: boolean
  max_orders?: number
}

export interface Eta {
  /** Null while nobody has the order. */
  p50: string | null
  p90: string | null
  computed_at: string
  source: string
  confidence: number | string | null
  warnings: string[]
}

export interface Place {
  lat: number
  lon: number
  address?: string | null
  window?: { from?: string | null; to?: string | null } | null
  latest?: string | null
}

export interface Decision {
  decided_at: string
  courier_id?: string
  cost?: Record<string, number>
  reasons?: { code: string; n_couriers: number; text: string; example_courier_id?: string }[]
}

export interface Order {
  id: string
  external_id?: string | null
  state: string
  version: number
  pickup: Place
  dropoff: Place
  placed_at: string
  ready_at?: string
  priority?: number
  pinned?: boolean
  courier_id?: string | null
  picked_up_at?: string
  delivered_at?: string
  reason?: string
  eta?: Eta | null
  decision?: Decision
}

export interface OrderEvent {
  at: string
  action?: string
  type?: string
  state?: string
  from_state?: string
  actor?: string | null
  role?: string
  courier_id?: string
  reason?: string | null
}

export interface Comment {
  id: number
  at: string
  actor: string
  text: string
}

export interface RouteStop {
  order_id: string
  kind: 'pickup' | 'dropoff'
  lat: number
  lon: number
  eta?: Eta | null
  state?: string
}

export interface Route {
  courier_id: string
  version: number
  stops: RouteStop[]
  geometry?: GeoJSON.LineString | null
}

export interface Alert {
  id: string
  kind: string
  state?: string
  courier_id?: string | null
  order_id?: string | null
  raised_at?: string
  acknowledged_at?: string | null
  resolved_at?: string | null
  acknowledged_by?: string | null
  facts?: Record<string, unknown>
  expected?: Record<string, unknown>
}

export interface Page<T> {
  items: T[]
  next?: string | null
}

export interface Config {
  version: string
  map_style_url: string
  map_attribution: string
  online_within_s: number
  stale_within_s: number
}

export interface Session {
  name: string
  role: Role
  region: string
  regions: string[]
}
