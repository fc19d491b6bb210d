import { expect, it } from 'vitest'
import { Changes, type Drawn } from '../src/map/changes'

const drawn = (id: string, ...signs: unknown[]): Drawn => ({
  id,
  signs,
  make: () => ({ type: 'Feature', properties: { id, signs }, geometry: { type: 'Point', coordinates: [0, 0] } }),
})
const ids = (features: GeoJSON.Feature[] | undefined) => features?.map(({ properties }) => properties!.id)

it('tells what is new, another, and gone; nothing where all is as it was', () => {
  const changes = new Changes()
  const anna = {}
  expect(ids(changes.to([drawn('a', anna, 1), drawn('b', 1)])?.add)).toEqual(['a', 'b'])
  expect(changes.to([drawn('a', anna, 1), drawn('b', 1)])).toBeNull()
  expect(ids(changes.to([drawn('a', {}, 1), drawn('b', 1)])?.add)).toEqual(['a'])
  expect(ids(changes.to([drawn('a', anna, 2), drawn('b', 1)])?.add)).toEqual(['a'])
  expect(changes.to([drawn('b', 1)])).toEqual({ add: [], remove: ['a'] })
  expect(ids(changes.all.features)).toEqual(['b'])
})
