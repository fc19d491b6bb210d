/** A place that prepares orders, as it is typed and as the API takes it. */

import { emptyEnd, type End } from '../lib/neworder'
import type { Kitchen, KitchenPatch, NewKitchen } from '../lib/types'

export interface Span {
  from: string
  to: string
  /** 0 is Monday. */
  weekdays: number[]
}

export interface RecipeRow {
  item: string
  minutes: number | null
  batch: number | null
  shelf: number | null
  /** Minutes once it was made ahead; null: it never is. */
  ahead: number | null
}

export interface Draft {
  name: string
  where: End
  region: string
  partner: string
  reference: string
  capacity: number | null
  prepare: number | null
  maxQueue: number | null
  hours: Span[]
  recipes: RecipeRow[]
}

export const emptySpan = (): Span => ({ from: '10:00', to: '22:00', weekdays: [0, 1, 2, 3, 4, 5, 6] })
export const emptyRecipe = (): RecipeRow => ({ item: '', minutes: null, batch: null, shelf: null, ahead: null })
export const empty = (): Draft => ({
  name: '',
  where: emptyEnd(),
  region: '',
  partner: '',
  reference: '',
  capacity: 1,
  prepare: 10,
  maxQueue: null,
  hours: [],
  recipes: [],
})

export const draftOf = (place: Kitchen): Draft => ({
  name: place.name,
  where: {
    address: place.address ?? '',
    at: { lat: place.lat, lon: place.lon },
    name: place.contact?.name ?? '',
    phone: place.contact?.phone ?? '',
    instructions: place.instructions ?? '',
  },
  region: place.region,
  partner: place.partner ?? '',
  reference: place.external_id ?? '',
  capacity: place.capacity,
  prepare: place.prepare_s / 60,
  maxQueue: place.max_queue,
  hours: place.hours.map(({ from, to, weekdays = [] }) => ({ from, to, weekdays: [...weekdays] })),
  recipes: place.recipes.map(({ item, minutes, batch, shelf_life_minutes, ahead_minutes }) => ({
    item,
    minutes,
    batch: batch ?? null,
    shelf: shelf_life_minutes ?? null,
    ahead: ahead_minutes ?? null,
  })),
})

/** What shall be there: all of it, so that what was emptied is taken away; of a known contact other ways to reach it stay. */
export function patchOf(draft: Draft, before: Kitchen): KitchenPatch {
  return { ...common(draft, before.contact ?? {}), version: before.version }
}

export function bodyOf(draft: Draft): NewKitchen {
  return {
    ...common(draft, {}),
    ...(draft.region && { region: draft.region }),
    ...(draft.partner.trim() && { partner: draft.partner.trim() }),
  }
}

function common({ where, ...draft }: Draft, contact: Record<string, string>) {
  const { name: _, phone: __, ...others } = contact
  const reached = { ...others, ...(where.name.trim() && { name: where.name.trim() }), ...(where.phone.trim() && { phone: where.phone.trim() }) }
  return {
    name: draft.name.trim(),
    ...where.at!,
    external_id: draft.reference.trim() || null,
    address: where.address.trim() || null,
    contact: Object.keys(reached).length ? reached : null,
    instructions: where.instructions.trim() || null,
    hours: draft.hours.map((span) => ({ ...span, weekdays: [...span.weekdays].sort() })),
    capacity: draft.capacity ?? 1,
    prepare_s: Math.round((draft.prepare ?? 0) * 60),
    recipes: draft.recipes.map(({ item, minutes, batch, shelf, ahead }) => ({
      item: item.trim(),
      minutes: minutes ?? 0,
      ...(batch !== null && { batch }),
      ...(shelf !== null && { shelf_life_minutes: shelf }),
      ...(ahead !== null && { ahead_minutes: ahead }),
    })),
    max_queue: draft.maxQueue,
  }
}
