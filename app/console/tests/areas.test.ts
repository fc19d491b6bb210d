import { describe, expect, it } from 'vitest'
import { cornersOf, polygonOf, shapeIn, tagsOf } from '../src/lib/areas'

const CORNERS = [
  { lat: 41.15, lon: -8.62 },
  { lat: 41.16, lon: -8.62 },
  { lat: 41.16, lon: -8.6 },
]

describe('an area', () => {
  it('is closed when it is drawn, and has its corners back when it is opened', () => {
    const polygon = polygonOf(CORNERS)
    expect(polygon?.coordinates[0]).toHaveLength(4)
    expect(polygon?.coordinates[0]![3]).toEqual([-8.62, 41.15])
    expect(cornersOf(polygon)).toEqual(CORNERS)
    expect(polygonOf(CORNERS.slice(1))).toBeNull()
  })
  it('with a hole can only be written', () => {
    const polygon = polygonOf(CORNERS)!
    expect(cornersOf({ ...polygon, coordinates: [...polygon.coordinates, ...polygon.coordinates] })).toBeNull()
    expect(cornersOf({ type: 'MultiPolygon', coordinates: [polygon.coordinates] })).toBeNull()
  })
  it('is read from a geometry or a feature, and nothing else is taken for one', () => {
    const polygon = polygonOf(CORNERS)!
    expect(shapeIn(JSON.stringify(polygon))).toEqual(polygon)
    expect(shapeIn(JSON.stringify({ type: 'Feature', geometry: polygon, properties: {} }))).toEqual(polygon)
    for (const other of ['', 'null', '[]', '{"type":"Feature"}', '{"type":"Polygon"}', '{"type":"Point","coordinates":[1,2]}']) expect(shapeIn(other)).toBeNull()
  })
  it('has the tags that are written', () => expect(tagsOf(' zone, ,night ')).toEqual(['zone', 'night']))
})
