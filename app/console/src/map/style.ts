/** The built-in backdrop: the outlines of the countries and a graticule; asks nobody on the internet. */

import type { StyleSpecification } from 'maplibre-gl'
import countriesUrl from 'world-atlas/countries-50m.json?url'
import { feature, mesh } from 'topojson-client'
import type { GeometryCollection, Topology } from 'topojson-specification'

export type Theme = 'light' | 'dark'

export const PALETTE = {
  light: { sea: '#dbe6ee', land: '#f6f6f2', border: '#c3ccd4', grid: '#d5dbdf', gridText: '#7b8794', text: '#0f172a', halo: '#ffffff' },
  dark: { sea: '#0b1220', land: '#151e2e', border: '#33415a', grid: '#22304a', gridText: '#7386a3', text: '#f1f5f9', halo: '#0b1220' },
} as const

/** Our own style comes in both colours; one from elsewhere is taken as it is. */
export function themed(styleUrl: string, theme: Theme, base: string): string {
  const url = new URL(styleUrl, base)
  if (url.origin !== new URL(base).origin) return styleUrl
  url.searchParams.set('theme', theme)
  return url.href
}

export function builtIn(theme: Theme): StyleSpecification {
  const colours = PALETTE[theme]
  const empty = { type: 'FeatureCollection' as const, features: [] }
  return {
    version: 8,
    sources: {
      land: { type: 'geojson', data: empty },
      borders: { type: 'geojson', data: empty },
      graticule: { type: 'geojson', data: empty },
    },
    layers: [
      { id: 'sea', type: 'background', paint: { 'background-color': colours.sea } },
      { id: 'land', type: 'fill', source: 'land', paint: { 'fill-color': colours.land } },
      { id: 'borders', type: 'line', source: 'borders', paint: { 'line-color': colours.border, 'line-width': 1 } },
      { id: 'graticule', type: 'line', source: 'graticule', paint: { 'line-color': colours.grid, 'line-width': 1 } },
      {
        id: 'graticule-text',
        type: 'symbol',
        source: 'graticule',
        layout: {
          'symbol-placement': 'line',
          'symbol-spacing': 420,
          'text-field': ['get', 'label'],
          'text-size': 11,
        },
        paint: { 'text-color': colours.gridText, 'text-halo-color': colours.land, 'text-halo-width': 2 },
      },
    ],
  }
}

/**
 * A ring whose longitudes run on past 180° instead of jumping to -180°: the atlas is cut for globes, the map is flat.
 * A ring around the south pole is closed along the lower edge.
 */
export function unwrapped(ring: GeoJSON.Position[]): GeoJSON.Position[] {
  let turn = 0
  const flat = ring.map((place, i) => {
    const step = i ? place[0]! - ring[i - 1]![0]! : 0
    if (Math.abs(step) > 180) turn -= Math.sign(step) * 360
    return [place[0]! + turn, place[1]!]
  })
  const [first, last] = [flat[0]!, flat.at(-1)!]
  if (Math.abs(last[0]! - first[0]!) > 180) flat.push([last[0]!, -90], [first[0]!, -90], first)
  return flat
}

function flattened(collection: GeoJSON.FeatureCollection): GeoJSON.FeatureCollection {
  for (const { geometry } of collection.features) {
    if (geometry.type === 'Polygon') geometry.coordinates = geometry.coordinates.map(unwrapped)
    if (geometry.type === 'MultiPolygon') geometry.coordinates = geometry.coordinates.map((part) => part.map(unwrapped))
    if (geometry.type === 'MultiLineString') geometry.coordinates = geometry.coordinates.map(unwrapped)
  }
  return collection
}

let outlines: Promise<{ land: GeoJSON.GeoJSON; borders: GeoJSON.GeoJSON }> | undefined

/** The outlines of Natural Earth (public domain), read once. */
export function world(): Promise<{ land: GeoJSON.GeoJSON; borders: GeoJSON.GeoJSON }> {
  outlines ??= fetch(countriesUrl)
    .then((response) => response.json() as Promise<Topology<{ countries: GeometryCollection }>>)
    .then((topology) => ({
      land: flattened(feature(topology, topology.objects.countries)),
      // Shared borders once; coasts are the edge of the land anyway.
      borders: mesh(topology, topology.objects.countries, (a, b) => a !== b),
    }))
  return outlines
}
