/** The API's shapes under the names that the courier's page uses. */

import type { components } from '../lib/openapi'

type Shapes = components['schemas']

export type Day = Shapes['Day']
export type DayOrder = Shapes['DayOrder']
export type Message = Shapes['CourierMessage']
export type Offer = Shapes['OfferShape']
export type Pay = Shapes['CourierPay']
export type Route = Shapes['RouteShape']
export type Stop = Shapes['RouteStop']

/** What the courier did. */
export type What =
  | 'on_duty'
  | 'off_duty'
  | 'break_start'
  | 'break_end'
  | 'accept'
  | 'reject'
  | 'arrived'
  | 'picked_up'
  | 'delivered'
  | 'failed'
  | 'returned'
  | 'give_back'
  | 'comment'
  | 'message'
  | 'photo'

/** Something that was done and is not known to the server yet. */
export interface Action {
  id?: number
  what: What
  method: 'POST' | 'PUT'
  path: string
  /** Told to the server as JSON; a picture goes as it is. */
  body: Record<string, unknown> | null
  picture?: Blob
  /** The same whenever it is sent, so that sending it twice does it once. */
  key: string
  /** When it was done, by this phone. */
  at: string
  orderId?: string
  offerId?: string
  /** Those of an offer that was taken. */
  orderIds?: string[]
}

/** A place that the phone measured, as the API takes it. */
export interface Fix {
  fixed_at: string
  lat: number
  lon: number
  accuracy_m?: number
  speed_mps?: number
  course_deg?: number
}
