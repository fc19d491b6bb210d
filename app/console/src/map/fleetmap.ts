/** The map: owns MapLibre, takes plain data, tells what was clicked. Knows nothing of the page around it. */

import {
  AttributionControl,
  GeolocateControl,
  type GeoJSONSource,
  type LngLatBoundsLike,
  Map as MapLibre,
  type MapGeoJSONFeature,
  NavigationControl,
  ScaleControl,
  setWorkerUrl,
  type StyleSpecification,
} from 'maplibre-gl'
import 'maplibre-gl/dist/maplibre-gl.css'
import workerUrl from 'maplibre-gl/dist/maplibre-gl-worker.mjs?worker&url'
import { STATES, type Row } from '../lib/filter'
import { age } from '../lib/format'
import type { RouteStop } from '../lib/types'
import { graticule } from './graticule'
import { COLOURS, images } from './icons'
import { circle, EMPTY, type Fix, track } from './shapes'
import { builtIn, PALETTE, type Theme, world } from './style'

setWorkerUrl(workerUrl)

export interface Handlers {
  onCourier(id: string): void
  onOrder(id: string): void
  onBackground(): void
  onUserMove(): void
}

export interface Options {
  styleUrl: string
  attribution: string
  theme: Theme
  reducedMotion: boolean
}

/** What is drawn; kept here so that it can be drawn again after the style changed. */
interface Data {
  couriers: GeoJSON.FeatureCollection
  trails: GeoJSON.FeatureCollection
  track: GeoJSON.FeatureCollection
  accuracy: GeoJSON.FeatureCollection
  route: GeoJSON.FeatureCollection
  stops: GeoJSON.FeatureCollection
  fences: GeoJSON.FeatureCollection
}

const SOURCES = ['fences', 'accuracy', 'trails', 'track', 'route', 'couriers', 'stops'] as const

/** Couriers stand for themselves from this zoom on. */
const CLUSTER_BELOW_ZOOM = 11.5
/** Moving markers glide for so long, at so many frames a second, when they are few enough to be cheap. */
const GLIDE_MS = 900
const GLIDE_FRAME_MS = 50
const GLIDE_MOST = 400

interface Point {
  lat: number
  lon: number
}

export class FleetMap {
  readonly map: MapLibre
  private data: Data = {
    couriers: EMPTY,
    trails: EMPTY,
    track: EMPTY,
    accuracy: EMPTY,
    route: EMPTY,
    stops: EMPTY,
    fences: EMPTY,
  }
  private theme: Theme
  /** Whether the address said what to look at; asked before the map writes its own place there. */
  readonly hasPlaceInAddress = /[#&]map=/.test(location.hash)
  private isReady = false
  private rows: Row[] = []
  private selectedId: string | null = null
  private shown = new Map<string, Point>()
  private from = new Map<string, Point>()
  private glideStart = 0
  private frame = 0

  constructor(
    container: HTMLElement,
    private readonly options: Options,
    private readonly handlers: Handlers,
  ) {
    this.theme = options.theme
    this.map = new MapLibre({
      container,
      style: this.style(),
      hash: 'map',
      center: [-8.62, 41.155],
      zoom: 2,
      maxPitch: 0,
      dragRotate: false,
      attributionControl: false,
      fadeDuration: options.reducedMotion ? 0 : 150,
    })
    this.map.touchZoomRotate.disableRotation()
    this.map.keyboard.disableRotation()
    const credit = options.styleUrl ? options.attribution : 'Outlines: Natural Earth'
    this.map.addControl(new AttributionControl({ compact: true, customAttribution: credit || undefined }), 'bottom-right')
    this.map.addControl(new ScaleControl({ maxWidth: 120 }), 'bottom-right')
    this.map.addControl(new NavigationControl({ showCompass: false }), 'top-right')
    if (window.isSecureContext) this.map.addControl(new GeolocateControl({}), 'top-right')
    this.map.on('style.load', () => this.install())
    this.map.on('moveend', () => this.drawGraticule())
    this.map.on('dragstart', () => handlers.onUserMove())
    this.map.on('click', (event) => this.clicked(event.point))
    this.map.on('mousemove', (event) => {
      this.map.getCanvas().style.cursor = this.pick(event.point) ? 'pointer' : ''
    })
  }

  destroy(): void {
    cancelAnimationFrame(this.frame)
    this.map.remove()
  }

  setTheme(theme: Theme): void {
    if (theme === this.theme) return
    this.theme = theme
    this.isReady = false
    this.map.setStyle(this.style(), { diff: false })
  }

  /** The rows to draw; those that moved glide there. */
  setCouriers(rows: Row[], selectedId: string | null): void {
    const next = new Map<string, Point>()
    let nMoved = 0
    for (const row of rows) {
      if (!row.position) continue
      const { lat, lon } = row.position
      next.set(row.id, { lat, lon })
      const shown = this.shown.get(row.id)
      if (shown && (shown.lat !== lat || shown.lon !== lon)) nMoved++
    }
    this.rows = rows
    this.selectedId = selectedId
    const glides =
      nMoved > 0 && nMoved <= GLIDE_MOST && !this.options.reducedMotion && !document.hidden && this.map.getZoom() > 10
    this.from = glides ? new Map(this.shown) : new Map()
    cancelAnimationFrame(this.frame)
    if (glides) {
      this.glideStart = performance.now()
      let drawnAt = -Infinity
      const step = (at: number) => {
        const share = Math.min(1, (at - this.glideStart) / GLIDE_MS)
        if (share === 1 || at - drawnAt >= GLIDE_FRAME_MS) {
          drawnAt = at
          this.place(next, share * (2 - share))
        }
        if (share < 1) this.frame = requestAnimationFrame(step)
      }
      this.frame = requestAnimationFrame(step)
    } else {
      this.place(next, 1)
    }
  }

  setTrails(trails: Iterable<readonly [string, readonly Fix[]]>, states: Map<string, string>): void {
    const features: GeoJSON.Feature[] = []
    for (const [id, fixes] of trails) {
      if (fixes.length < 2) continue
      features.push({
        type: 'Feature',
        properties: { colour: COLOURS[(states.get(id) ?? 'offline') as keyof typeof COLOURS] },
        geometry: { type: 'LineString', coordinates: fixes.map((fix) => [fix.lon, fix.lat]) },
      })
    }
    this.put('trails', { type: 'FeatureCollection', features })
  }

  setTrack(fixes: readonly Fix[]): void {
    this.put('track', track(fixes))
  }

  setAccuracy(place: { lat: number; lon: number; radiusM: number } | null): void {
    this.put(
      'accuracy',
      place ? { type: 'FeatureCollection', features: [circle(place.lat, place.lon, place.radiusM)] } : EMPTY,
    )
  }

  setRoute(line: readonly number[][], stops: readonly RouteStop[]): void {
    this.put('route', {
      type: 'FeatureCollection',
      features:
        line.length > 1
          ? [{ type: 'Feature', properties: {}, geometry: { type: 'LineString', coordinates: [...line] } }]
          : [],
    })
    this.put('stops', {
      type: 'FeatureCollection',
      features: stops.map((stop, index) => ({
        type: 'Feature',
        properties: { order_id: stop.order_id, kind: stop.kind, number: String(index + 1) },
        geometry: { type: 'Point', coordinates: [stop.lon, stop.lat] },
      })),
    })
  }

  setFences(fences: GeoJSON.FeatureCollection): void {
    this.put('fences', fences)
  }

  fit(points: Iterable<Point>, options: { maxZoom?: number; instant?: boolean; padding?: number } = {}): void {
    let [west, south, east, north] = [180, 90, -180, -90]
    let n = 0
    for (const { lat, lon } of points) {
      west = Math.min(west, lon)
      east = Math.max(east, lon)
      south = Math.min(south, lat)
      north = Math.max(north, lat)
      n++
    }
    if (!n) return
    this.map.fitBounds([west, south, east, north] as LngLatBoundsLike, {
      padding: options.padding ?? 70,
      maxZoom: options.maxZoom ?? 15,
      animate: !options.instant && !this.options.reducedMotion,
    })
  }

  centre(point: Point, minZoom = 0): void {
    const zoom = Math.max(this.map.getZoom(), minZoom)
    const camera = { center: [point.lon, point.lat] as [number, number], zoom }
    if (this.options.reducedMotion) this.map.jumpTo(camera)
    else this.map.easeTo({ ...camera, duration: 700 })
  }

  private style(): StyleSpecification | string {
    return this.options.styleUrl || builtIn(this.theme)
  }

  private place(to: Map<string, Point>, share: number): void {
    const features: GeoJSON.Feature[] = []
    this.shown.clear()
    for (const row of this.rows) {
      const end = to.get(row.id)
      if (!end || !row.position) continue
      const start = this.from.get(row.id) ?? end
      // Somebody who crosses the antimeridian does not glide around the world.
      const glides = share < 1 && Math.abs(end.lon - start.lon) < 1
      const at = glides
        ? { lat: start.lat + (end.lat - start.lat) * share, lon: start.lon + (end.lon - start.lon) * share }
        : end
      this.shown.set(row.id, at)
      const { course_deg: course, speed_mps: speed } = row.position
      features.push({
        type: 'Feature',
        properties: {
          id: row.id,
          state: row.state,
          rank: STATES.indexOf(row.state),
          course: course != null && row.state !== 'offline' && (speed ?? 1) > 0.3 ? course : -1,
          name: row.name,
          age: age(row.ageS),
          selected: row.id === this.selectedId,
          urgent: row.state === 'stuck' || row.state === 'late' ? 1 : 0,
        },
        geometry: { type: 'Point', coordinates: [at.lon, at.lat] },
      })
    }
    this.put('couriers', { type: 'FeatureCollection', features })
  }

  private put(source: keyof Data, data: GeoJSON.FeatureCollection): void {
    this.data[source] = data
    if (this.isReady) (this.map.getSource(source) as GeoJSONSource | undefined)?.setData(data)
  }

  private install(): void {
    const { map } = this
    const dark = this.theme === 'dark'
    const colours = PALETTE[this.theme]
    for (const [name, image] of images()) if (!map.hasImage(name)) map.addImage(name, image, { pixelRatio: 2 })
    for (const name of SOURCES) {
      map.addSource(name, {
        type: 'geojson',
        data: this.data[name],
        ...(name === 'couriers' && {
          cluster: true,
          clusterMaxZoom: Math.floor(CLUSTER_BELOW_ZOOM),
          clusterMinPoints: 4,
          clusterRadius: 42,
          clusterProperties: { urgent: ['+', ['get', 'urgent']] },
        }),
        ...(name === 'trails' && { tolerance: 0.5 }),
      })
    }
    map.addLayer({
      id: 'fences',
      type: 'fill',
      source: 'fences',
      paint: { 'fill-color': '#7c3aed', 'fill-opacity': 0.1 },
    })
    map.addLayer({
      id: 'fences-line',
      type: 'line',
      source: 'fences',
      paint: { 'line-color': '#7c3aed', 'line-width': 1.5, 'line-dasharray': [3, 2] },
    })
    map.addLayer({
      id: 'fences-text',
      type: 'symbol',
      source: 'fences',
      minzoom: 10,
      layout: { 'text-field': ['coalesce', ['get', 'name'], ''], 'text-size': 12 },
      paint: { 'text-color': dark ? '#c4b5fd' : '#5b21b6', 'text-halo-color': colours.halo, 'text-halo-width': 1.5 },
    })
    map.addLayer({
      id: 'accuracy',
      type: 'fill',
      source: 'accuracy',
      paint: { 'fill-color': '#0ea5e9', 'fill-opacity': 0.14, 'fill-outline-color': '#0284c7' },
    })
    map.addLayer({
      id: 'trails',
      type: 'line',
      source: 'trails',
      minzoom: 10,
      layout: { 'line-cap': 'round', 'line-join': 'round' },
      paint: { 'line-color': ['get', 'colour'], 'line-width': 3, 'line-opacity': dark ? 0.45 : 0.3 },
    })
    map.addLayer({
      id: 'track-casing',
      type: 'line',
      source: 'track',
      filter: ['!', ['get', 'gap']],
      layout: { 'line-cap': 'round', 'line-join': 'round' },
      paint: { 'line-color': colours.halo, 'line-width': 7, 'line-opacity': 0.9 },
    })
    map.addLayer({
      id: 'track',
      type: 'line',
      source: 'track',
      filter: ['!', ['get', 'gap']],
      layout: { 'line-cap': 'round', 'line-join': 'round' },
      paint: { 'line-color': dark ? '#22d3ee' : '#0e7490', 'line-width': 3.5 },
    })
    map.addLayer({
      id: 'track-gap',
      type: 'line',
      source: 'track',
      filter: ['get', 'gap'],
      paint: { 'line-color': dark ? '#94a3b8' : '#64748b', 'line-width': 2, 'line-dasharray': [1.5, 2] },
    })
    map.addLayer({
      id: 'route',
      type: 'line',
      source: 'route',
      layout: { 'line-cap': 'round', 'line-join': 'round' },
      paint: { 'line-color': dark ? '#93c5fd' : '#1d4ed8', 'line-width': 3, 'line-dasharray': [0.2, 2] },
    })
    map.addLayer({
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
    })
    map.addLayer({
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
    })
    map.addLayer({
      id: 'selected',
      type: 'circle',
      source: 'couriers',
      filter: ['==', ['get', 'selected'], true],
      paint: {
        'circle-radius': 21,
        'circle-color': '#0ea5e9',
        'circle-opacity': 0.22,
        'circle-stroke-width': 2.5,
        'circle-stroke-color': dark ? '#38bdf8' : '#0284c7',
      },
    })
    // Below the markers: the map places labels from the top down, so markers come first and labels keep clear of them.
    map.addLayer({
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
    })
    map.addLayer({
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
    })
    map.addLayer({
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
    })
    map.addLayer({
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
      paint: { 'text-color': '#ffffff' },
    })
    this.isReady = true
    if (!this.options.styleUrl) {
      this.drawGraticule()
      void world()
        .then((outlines) => {
          ;(map.getSource('land') as GeoJSONSource | undefined)?.setData(outlines.land)
          ;(map.getSource('borders') as GeoJSONSource | undefined)?.setData(outlines.borders)
        })
        .catch(() => undefined) // the graticule alone will do
    }
  }

  private drawGraticule(): void {
    if (this.options.styleUrl) return
    const bounds = this.map.getBounds()
    const margin = (bounds.getEast() - bounds.getWest()) / 2
    ;(this.map.getSource('graticule') as GeoJSONSource | undefined)?.setData(
      graticule({
        west: bounds.getWest() - margin,
        south: bounds.getSouth() - margin,
        east: bounds.getEast() + margin,
        north: bounds.getNorth() + margin,
      }),
    )
  }

  private pick(point: { x: number; y: number }): MapGeoJSONFeature | undefined {
    if (!this.isReady) return undefined
    const reach = 6 // a finger is not a needle
    const box: [[number, number], [number, number]] = [
      [point.x - reach, point.y - reach],
      [point.x + reach, point.y + reach],
    ]
    return this.map.queryRenderedFeatures(box, { layers: ['stops', 'couriers', 'clusters'] })[0]
  }

  private clicked(point: { x: number; y: number }): void {
    const feature = this.pick(point)
    if (!feature) this.handlers.onBackground()
    else if (feature.layer.id === 'couriers') this.handlers.onCourier(String(feature.properties.id))
    else if (feature.layer.id === 'stops') this.handlers.onOrder(String(feature.properties.order_id))
    else void this.open(feature)
  }

  private async open(cluster: MapGeoJSONFeature): Promise<void> {
    const source = this.map.getSource('couriers') as GeoJSONSource
    const zoom = await source.getClusterExpansionZoom(Number(cluster.properties.cluster_id))
    const [lon, lat] = (cluster.geometry as GeoJSON.Point).coordinates as [number, number]
    this.map.easeTo({ center: [lon, lat], zoom: zoom + 0.3, animate: !this.options.reducedMotion })
  }
}
