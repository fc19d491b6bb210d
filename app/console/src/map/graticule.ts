/** Lines of longitude and latitude over what is in view, at a step that suits the zoom: orientation without tiles. */

const STEPS = [30, 15, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001]

export interface Bounds {
  west: number
  south: number
  east: number
  north: number
}

/** The largest step in degrees that puts at least about four lines into the width. */
export function stepFor(widthDeg: number): number {
  return STEPS.find((step) => widthDeg / step >= 4) ?? STEPS.at(-1)!
}

function label(value: number, step: number, positive: string, negative: string): string {
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9))
  const side = Math.abs(value) < step / 2 ? '' : value > 0 ? positive : negative
  return `${Math.abs(value).toFixed(digits)}°${side}`
}

export function graticule(bounds: Bounds): GeoJSON.FeatureCollection {
  const step = stepFor(Math.min(360, bounds.east - bounds.west))
  const [south, north] = [Math.max(-85, bounds.south), Math.min(85, bounds.north)]
  const features: GeoJSON.Feature[] = []
  const line = (coordinates: number[][], text: string) =>
    features.push({ type: 'Feature', properties: { label: text }, geometry: { type: 'LineString', coordinates } })
  for (let i = Math.ceil(bounds.west / step); i <= Math.floor(bounds.east / step); i++) {
    const lon = i * step
    const wrapped = ((((lon + 180) % 360) + 360) % 360) - 180
    line(
      [
        [lon, south],
        [lon, north],
      ],
      label(wrapped, step, 'E', 'W'),
    )
  }
  for (let i = Math.ceil(south / step); i <= Math.floor(north / step); i++) {
    const lat = i * step
    line(
      [
        [bounds.west, lat],
        [bounds.east, lat],
      ],
      label(lat, step, 'N', 'S'),
    )
  }
  return { type: 'FeatureCollection', features }
}
