import { describe, expect, it } from 'vitest'
import { age, metresBetween } from '../src/lib/format'
import { graticule, stepFor } from '../src/map/graticule'
import { unwrapped } from '../src/map/style'
import { circle, lengthM, track } from '../src/map/shapes'

const minute = 60_000
const at = (lon: number, minutes: number) => ({ lat: 41, lon, at: minutes * minute })

describe('a track', () => {
  const fixes = [at(-8.6, 0), at(-8.599, 1), at(-8.59, 30), at(-8.589, 31)]

  it('is broken where nothing was heard, with a dashed line across', () => {
    const drawn = track(fixes).features.map((feature) => feature.properties?.gap)
    expect(drawn).toEqual([false, true, false])
  })

  it('does not count the way across a gap', () => {
    expect(lengthM(fixes)).toBeCloseTo(metresBetween(fixes[0]!, fixes[1]!) + metresBetween(fixes[2]!, fixes[3]!), 6)
  })

  it('of one fix draws nothing', () => {
    expect(track([at(0, 0)]).features).toEqual([])
  })
})

describe('shapes', () => {
  it('draws a circle whose rim lies at the radius', () => {
    const ring = (circle(60, 10, 250).geometry as GeoJSON.Polygon).coordinates[0]!
    for (const [lon, lat] of ring)
      expect(metresBetween({ lat: 60, lon: 10 }, { lat: lat!, lon: lon! })).toBeCloseTo(250, -1)
  })

  it('lets a ring run on over the antimeridian, and closes one around the pole', () => {
    expect(unwrapped([[179, 0], [-179, 1], [179, 2], [179, 0]])).toEqual([[179, 0], [181, 1], [179, 2], [179, 0]])
    const pole = unwrapped([[-180, -70], [-60, -70], [60, -70], [180, -70], [-180, -70]])
    expect(pole.slice(-2)).toEqual([[-180, -90], [-180, -70]])
  })

  it('steps the graticule so that some lines are always in view', () => {
    for (const width of [360, 47, 3.2, 0.4, 0.01]) {
      const n = width / stepFor(width)
      expect(n).toBeGreaterThanOrEqual(4)
      expect(n).toBeLessThan(16)
    }
    const lines = graticule({ west: 179.9, east: 180.3, south: -0.1, north: 0.1 }).features
    const labels = lines.map((line) => line.properties?.label)
    expect(labels).toContain('180.0°W')
    expect(labels).toContain('179.8°W')
    expect(labels).toContain('0.0°')
  })
})

it('says an age in a few letters', () => {
  expect([3, 59.4, 3599, 3600, 7500, 200_000].map(age)).toEqual(['3 s', '59 s', '59 min', '1 h', '2 h 5 min', '2 d'])
})
