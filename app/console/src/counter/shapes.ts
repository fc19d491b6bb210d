/** The API's shapes under the names that the place's page uses. */

import type { components } from '../lib/openapi'

export type Place = components['schemas']['PlaceInfo']
export type Task = components['schemas']['TaskShape']

/** Something that is made ahead of orders. */
export type Go = components['schemas']['GoShape']

export type Step = 'start' | 'ready' | 'delay' | 'problem' | 'skip'

/** Something that was said and is not known to the server yet. */
export interface Said {
  /** Counts what was said here. */
  n: number
  step: Step
  /** Empty: of what is made ahead. */
  orderId: string
  method: 'POST'
  path: string
  body: Record<string, unknown>
  /** The same whenever it is sent, so that sending it twice says it once. */
  key: string
  /** When it was said, by this device. */
  at: string
}
