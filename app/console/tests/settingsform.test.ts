import { expect, it } from 'vitest'
import { fieldsOf, patchOf, textOf, typed, Unreadable, valueOf } from '../src/admin/settingsform'

const schema = {
  properties: {
    alerts: { properties: { late_after_s: { type: 'integer', minimum: 0, maximum: 99, default: 5, description: 'How late.' } } },
    dispatch: {
      properties: {
        area: { enum: ['anywhere', 'boundary'], default: 'anywhere' },
        radius_m: { anyOf: [{ type: 'integer', minimum: 1, maximum: 9 }, { type: 'null' }], default: null },
        weights: { properties: { travel: { type: 'number', default: 1 } } },
      },
    },
    desk: { properties: { cancel: { type: 'array', items: { type: 'string' }, default: [] }, places: { type: 'array', items: { type: 'object' } } } },
    recipient: { properties: { colour: { type: 'string', pattern: '^#[0-9a-fA-F]{6}$' }, may_write: { type: 'boolean' } } },
  },
}
const fields = fieldsOf(schema)
const field = (name: string) => fields.find((one) => one.name === name)!

it('every setting is a field that a problem can point at', () => {
  expect(fields.map(({ pointer, kind }) => [pointer, kind])).toEqual([
    ['/settings/alerts/late_after_s', 'integer'],
    ['/settings/dispatch/area', 'choice'],
    ['/settings/dispatch/radius_m', 'integer'],
    ['/settings/dispatch/weights/travel', 'number'],
    ['/settings/desk/cancel', 'lines'],
    ['/settings/desk/places', 'json'],
    ['/settings/recipient/colour', 'colour'],
    ['/settings/recipient/may_write', 'yesno'],
  ])
  expect(field('radius_m')).toMatchObject({ min: 1, max: 9, default: null })
})

it('what is typed comes back as it was meant, and empty is the installation’s', () => {
  const settings = { alerts: { late_after_s: 0 }, desk: { cancel: ['a', 'b'] }, recipient: { may_write: false } }
  for (const one of fields) {
    const value = valueOf(one, settings)
    expect(typed(one, textOf(one, value))).toEqual(value ?? null)
  }
  expect(() => typed(field('late_after_s'), 'soon')).toThrow(Unreadable)
  expect(() => typed(field('places'), '[')).toThrow(Unreadable)
})

it('only what was changed is sent', () => {
  const settings = { alerts: { late_after_s: 7 }, dispatch: { weights: { travel: 2 } } }
  const texts = Object.fromEntries(fields.map((one) => [one.pointer, textOf(one, valueOf(one, settings))]))
  expect(patchOf(fields, texts, settings)).toEqual({})
  texts['/settings/alerts/late_after_s'] = ''
  texts['/settings/dispatch/weights/travel'] = '3'
  texts['/settings/desk/cancel'] = 'too late\n\nwrong address '
  expect(patchOf(fields, texts, settings)).toEqual({
    alerts: { late_after_s: null },
    dispatch: { weights: { travel: 3 } },
    desk: { cancel: ['too late', 'wrong address'] },
  })
})
