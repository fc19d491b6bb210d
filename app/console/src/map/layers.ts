/** The layers over the backdrop, from below to above, and the sources they draw. */

import type { ExpressionSpecification, GeoJSONSourceSpecification, LayerSpecification } from 'maplibre-gl'
import { COLOURS } from './icons'
import { MARKERS_FROM_ZOOM } from './markers'
import { PALETTE, type Theme } from './style'

export const SOURCES = ['fences', 'accuracy', 'trails', 'routes', 'plan', 'track', 'route', 'orders', 'couriers', 'stops', 'replay'] as const
export type Source = (typeof SOURCES)[number]

/** From here on the card draws couriers (`Markers`); the layers below stay for what is clicked, and are not seen. */
const UNTIL_MARKERS = (opacity: number): ExpressionSpecification => ['step', ['zoom'], opacity, MARKERS_FROM_ZOOM, 0]

export function source(name: Source, data: GeoJSON.FeatureCollection): GeoJSONSourceSpecification {
  return {
    type: 'geojson',
    data,
    ...((name === 'couriers' || name === 'trails') && { promoteId: 'id' }),
    ...(name === 'couriers' && {
      cluster: true,
      clusterMaxZoom: MARKERS_FROM_ZOOM - 1,
      clusterMinPoints: 4,
      clusterRadius: 42,
      clusterProperties: { urgent: ['+', ['get', 'urgent']] },
    }),
    ...(name === 'trails' && { tolerance: 0.5 }),
  }
}

export function layers(theme: Theme): LayerSpecification[] {
  const dark = theme === 'dark'
  const colours = PALETTE[theme]
  return [
    {
      id: 'fences',
      type: 'fill',
      source: 'fences',
      paint: { 'fill-color': '#7c3aed', 'fill-opacity': 0.1 },
    },
    {
      id: 'fences-line',
      type: 'line',
      source: 'fences',
      paint: { 'line-color': '#7c3aed', 'line-width': 1.5, 'line-dasharray': [3, 2] },
    },
    {
      id: 'fences-text',
      type: 'symbol',
      source: 'fences',
      minzoom: 10,
      layout: { 'text-field': ['coalesce', ['get', 'name'], ''], 'text-size': 12 },
      paint: { 'text-color': dark ? '#c4b5fd' : '#5b21b6', 'text-halo-color': colours.halo, 'text-halo-width': 1.5 },
    },
    {
      id: 'accuracy',
      type: 'fill',
      source: 'accuracy',
      paint: { 'fill-color': '#0ea5e9', 'fill-opacity': 0.14, 'fill-outline-color': '#0284c7' },
    },
    {
      id: 'trails',
      type: 'line',
      source: 'trails',
      minzoom: MARKERS_FROM_ZOOM,
      layout: { 'line-cap': 'round', 'line-join': 'round' },
      paint: { 'line-color': ['get', 'colour'], 'line-width': 3, 'line-opacity': dark ? 0.45 : 0.3 },
    },
    {
      id: 'track-casing',
      type: 'line',
      source: 'track',
      filter: ['!', ['get', 'gap']],
      layout: { 'line-cap': 'round', 'line-join': 'round' },
      paint: { 'line-color': colours.halo, 'line-width': 7, 'line-opacity': 0.9 },
    },
    {
      id: 'track',
      type: 'line',
      source: 'track',
      filter: ['!', ['get', 'gap']],
      layout: { 'line-cap': 'round', 'line-join': 'round' },
      paint: { 'line-color': dark ? '#22d3ee' : '#0e7490', 'line-width': 3.5 },
    },
    {
      id: 'track-gap',
      type: 'line',
      source: 'track',
      filter: ['get', 'gap'],
      paint: { 'line-color': dark ? '#94a3b8' : '#64748b', 'line-width': 2, 'line-dasharray': [1.5, 2] },
    },
    {
      id: 'route',
      type: 'line',
      source: 'route',
      layout: { 'line-cap': 'round', 'line-join': 'round' },
      paint: { 'line-color': dark ? '#93c5fd' : '#1d4ed8', 'line-width': 3, 'line-dasharray': [0.2, 2] },
    },
    {
      id: 'routes',
      type: 'line',
      source: 'routes',
      layout: { 'line-cap': 'round', 'line-join': 'round' },
      paint: {
        'line-color': ['case', ['get', 'chosen'], dark ? '#93c5fd' : '#1d4ed8', dark ? '#94a3b8' : '#64748b'],
        'line-width': ['case', ['get', 'chosen'], 5, 2],
        'line-opacity': ['case', ['get', 'chosen'], 0.9, 0.55],
      },
    },
    {
      id: 'plan',
      type: 'line',
      source: 'plan',
      layout: { 'line-cap': 'round', 'line-join': 'round' },
      paint: { 'line-color': ['case', ['get', 'after'], dark ? '#34d399' : '#047857', dark ? '#fbbf24' : '#b45309'], 'line-width': 4 },
    },
    {
      id: 'orders',
      type: 'symbol',
      source: 'orders',
      minzoom: 10,
      layout: { 'icon-image': ['get', 'icon'], 'icon-size': 0.62, 'icon-allow-overlap': true, 'icon-padding': 0 },
    },
    {
      id: 'clusters',
      type: 'circle',
      source: 'couriers',
      filter: ['has', 'point_count'],
      paint: {
        'circle-color': dark ? '#134e4a' : '#0f766e',
        'circle-opacity': 0.92,
        'circle-radius': ['interpolate', ['linear'], ['sqrt', ['get', 'point_count']], 2, 15, 10, 24, 40, 40],
        'circle-stroke-width': 3,
        'circle-stroke-color': ['case', ['>', ['get', 'urgent'], 0], COLOURS.late, dark ? '#0b1220' : '#ffffff'],
      },
    },
    {
      id: 'clusters-text',
      type: 'symbol',
      source: 'couriers',
      filter: ['has', 'point_count'],
      layout: {
        'text-field': ['get', 'point_count_abbreviated'],
        'text-size': 13,
        'text-allow-overlap': true,
      },
      paint: { 'text-color': '#ffffff' },
    },
    {
      id: 'selected',
      type: 'circle',
      source: 'couriers',
      filter: ['==', ['get', 'selected'], true],
      paint: {
        'circle-radius': 21,
        'circle-color': '#0ea5e9',
        'circle-opacity': UNTIL_MARKERS(0.22),
        'circle-stroke-opacity': UNTIL_MARKERS(1),
        'circle-stroke-width': 2.5,
        'circle-stroke-color': dark ? '#38bdf8' : '#0284c7',
      },
    },
    // Below the markers: the map places labels from the top down, so markers come first and labels keep clear of them.
    {
      id: 'couriers-text',
      type: 'symbol',
      source: 'couriers',
      filter: ['!', ['has', 'point_count']],
      minzoom: 12.5,
      layout: {
        'text-field': ['format', ['get', 'name'], {}, '  ', {}, ['get', 'age'], { 'font-scale': 0.88 }],
        'text-size': 12,
        'text-anchor': 'top',
        'text-offset': [0, 1.45],
        'text-optional': true,
        'text-padding': 1,
        'symbol-sort-key': ['case', ['get', 'selected'], -1, ['get', 'rank']],
      },
      paint: { 'text-color': colours.text, 'text-halo-color': colours.halo, 'text-halo-width': 1.8 },
    },
    {
      id: 'beaks',
      type: 'symbol',
      source: 'couriers',
      filter: ['all', ['!', ['has', 'point_count']], ['>=', ['get', 'course'], 0]],
      layout: {
        'icon-image': ['concat', 'beak-', ['get', 'state']],
        'icon-rotate': ['get', 'course'],
        'icon-rotation-alignment': 'map',
        'icon-allow-overlap': true,
        'icon-ignore-placement': true,
        'icon-size': 1.16,
      },
      paint: { 'icon-opacity': UNTIL_MARKERS(1) },
    },
    {
      id: 'couriers',
      type: 'symbol',
      source: 'couriers',
      filter: ['!', ['has', 'point_count']],
      layout: {
        'icon-image': ['concat', 'courier-', ['get', 'state']],
        'icon-allow-overlap': true,
        'icon-padding': 0,
        'symbol-sort-key': ['-', 10, ['get', 'rank']],
      },
      paint: { 'icon-opacity': UNTIL_MARKERS(1) },
    },
    {
      id: 'stops',
      type: 'symbol',
      source: 'stops',
      layout: {
        'icon-image': ['concat', 'stop-', ['get', 'kind']],
        'icon-size': 0.9,
        'icon-allow-overlap': true,
        'text-field': ['get', 'number'],
        'text-size': 12,
        'text-allow-overlap': true,
      },
      paint: { 'text-color': '#ffffff', 'icon-opacity': ['case', ['get', 'done'], 0.5, 1] },
    },
    {
      id: 'replay-stays',
      type: 'circle',
      source: 'replay',
      filter: ['==', ['get', 'kind'], 'stay'],
      paint: { 'circle-radius': 7, 'circle-color': '#f59e0b', 'circle-stroke-width': 2, 'circle-stroke-color': colours.halo },
    },
    {
      id: 'replay-stays-text',
      type: 'symbol',
      source: 'replay',
      filter: ['==', ['get', 'kind'], 'stay'],
      layout: { 'text-field': ['get', 'text'], 'text-size': 12, 'text-anchor': 'left', 'text-offset': [0.9, 0] },
      paint: { 'text-color': colours.text, 'text-halo-color': colours.halo, 'text-halo-width': 1.8 },
    },
    {
      id: 'replay',
      type: 'circle',
      source: 'replay',
      filter: ['==', ['get', 'kind'], 'place'],
      paint: { 'circle-radius': 9, 'circle-color': '#0ea5e9', 'circle-stroke-width': 3, 'circle-stroke-color': colours.text },
    },
  ]
}
