import { expect, test } from 'vitest'
import { bodyOf, draftOf, empty, emptyRecipe, emptySpan, patchOf } from '../src/admin/placeform'
import type { Kitchen } from '../src/lib/types'

const KITCHEN: Kitchen = {
  id: 'p',
  region: 'porto',
  partner: 'acme',
  external_id: 'adega',
  name: 'Adega',
  lat: 41.15,
  lon: -8.61,
  address: 'Rua das Flores 1',
  contact: { name: 'Rui', phone: '+351 1', email: 'rui@example.org' },
  instructions: 'Back door',
  hours: [{ from: '18:00', to: '24:00', weekdays: [4, 5] }],
  timezone: 'Europe/Lisbon',
  capacity: 3,
  prepare_s: 450,
  recipes: [{ item: 'soup', minutes: 20, batch: 4, shelf_life_minutes: 30, ahead_minutes: 2 }, { item: 'toast', minutes: 5 }],
  max_queue: 12,
  paused_until: null,
  version: 7,
  created_at: '2026-05-04T12:00:00Z',
  updated_at: '2026-05-04T12:00:00Z',
}

test('a place that is opened and saved stays as it is, in what this form does not show, too', () => {
  const { id, region, partner, timezone, paused_until, created_at, updated_at, ...rest } = KITCHEN
  void [id, region, partner, timezone, paused_until, created_at, updated_at]
  expect(patchOf(draftOf(KITCHEN), KITCHEN)).toEqual(rest)
})

test('what was emptied is taken away', () => {
  const { where, ...draft } = draftOf(KITCHEN)
  const emptied = { ...draft, reference: ' ', maxQueue: null, hours: [], recipes: [], where: { ...where, name: '', phone: ' ', address: '', instructions: '' } }
  expect(patchOf(emptied, KITCHEN)).toMatchObject({
    external_id: null,
    max_queue: null,
    hours: [],
    recipes: [],
    address: null,
    instructions: null,
    contact: { email: 'rui@example.org' },
  })
  expect(patchOf(emptied, { ...KITCHEN, contact: null }).contact).toBeNull()
})

test('a new place has what was typed, by minutes and in the order of the week', () => {
  const draft = empty()
  draft.name = ' Taberna '
  draft.where.at = { lat: 1, lon: 2 }
  draft.prepare = 7.5
  draft.region = 'porto'
  draft.partner = ' acme '
  draft.hours = [{ ...emptySpan(), weekdays: [6, 0] }]
  draft.recipes = [{ ...emptyRecipe(), item: ' soup ', minutes: 20 }]
  expect(bodyOf(draft)).toEqual({
    name: 'Taberna',
    lat: 1,
    lon: 2,
    region: 'porto',
    partner: 'acme',
    external_id: null,
    address: null,
    contact: null,
    instructions: null,
    hours: [{ from: '10:00', to: '22:00', weekdays: [0, 6] }],
    capacity: 1,
    prepare_s: 450,
    recipes: [{ item: 'soup', minutes: 20 }],
    max_queue: null,
  })
})
