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
import workerUrl from 'map-worker'
import type { Row } from '../lib/filter'
import type { LatLon } from '../lib/picking.svelte'
import type { Stay } from '../lib/replay'
import type { ShownStop } from '../lib/stops'
import type { Order } from '../lib/types'
import type { Geofence } from '../lib/undescribed'
import { Corners } from './corners'
import { Changes, type Drawn } from './changes'
import * as features from './features'
import { graticule } from './graticule'
import { images } from './icons'
import { layers, source, SOURCES, type Source } from './layers'
import { Markers, MARKERS_FROM_ZOOM } from './markers'
import { circle, EMPTY, type Fix, track } from './shapes'
import { builtIn, type Theme, themed, world } from './style'

setWorkerUrl(workerUrl)

/** At the latest: where many move the map never rests. */
const OUTLINES_AFTER_MS = 6000

export interface Handlers {
  onCourier(id: string): void
  onOrder(id: string): void
  /** Any click, before anything else: whether a place was waited for. */
  onPlace(place: features.Point): boolean
  onBackground(): void
  onUserMove(): void
}

export interface Options {
  styleUrl: string
  attribution: string
  theme: Theme
  reducedMotion: boolean
  /** How much of the map lies under a panel at its right edge, in pixels: what is shown goes beside it. */
  covered(): number
}

export class FleetMap {
  readonly map: MapLibre
  /** What is drawn; kept here so that it can be drawn again after the style changed. */
  private readonly data = new Map<Source, GeoJSON.FeatureCollection>()
  private theme: Theme
  /** Whether the address said what to look at; asked before the map writes its own place there. */
  readonly hasPlaceInAddress = /[#&]map=/.test(location.hash)
  private isReady = false
  private isGone = false
  private corners: Corners | null = null
  private readonly changes = { couriers: new Changes(), trails: new Changes() }
  private readonly markers = new Markers()

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
    this.map.addControl(new AttributionControl({ compact: false, customAttribution: credit || undefined }), 'bottom-right')
    this.map.addControl(new ScaleControl({ maxWidth: 120 }), 'bottom-right')
    this.map.addControl(new NavigationControl({ showCompass: false }), 'top-right')
    if (window.isSecureContext) this.map.addControl(new GeolocateControl({}), 'top-right')
    this.map.on('style.load', () => this.install())
    this.map.on('moveend', () => this.drawGraticule())
    this.map.on('dragstart', () => handlers.onUserMove())
    this.map.on('click', ({ point, lngLat }) => {
      if (!handlers.onPlace({ lat: lngLat.lat, lon: lngLat.lng })) this.clicked(point)
    })
    this.map.on('mousemove', (event) => {
      this.map.getCanvas().style.cursor = this.pick(event.point) ? 'pointer' : ''
    })
  }

  destroy(): void {
    this.isGone = true
    this.map.remove()
  }

  setTheme(theme: Theme): void {
    if (theme === this.theme) return
    this.theme = theme
    this.isReady = false
    this.map.setStyle(this.style(), { diff: false })
  }

  /** The rows to draw; those that moved glide there. */
  setCouriers(rows: readonly Row[], selectedId: string | null, now: number): void {
    this.markers.set(rows, selectedId, !this.options.reducedMotion && !document.hidden)
    this.change('couriers', features.couriers(rows, selectedId, now))
  }

  /** The ways of those who are in sight, where they stand for themselves. */
  setTrails(rows: readonly Row[], trails: ReadonlyMap<string, readonly Fix[]>): void {
    const [isNear, bounds] = [this.map.getZoom() >= MARKERS_FROM_ZOOM, this.map.getBounds()]
    const shown = isNear ? rows.filter(({ position }) => position && bounds.contains(position)) : []
    this.change('trails', features.trails(shown, trails))
  }

  setTrack(fixes: readonly Fix[]): void {
    this.put('track', track(fixes))
  }

  /** Where the courier was at the instant that is looked at, and where they stayed in that hour. */
  setReplay(place: features.Point | null, stays: readonly Stay[]): void {
    this.put('replay', features.replay(place, stays))
  }

  setAccuracy(place: (features.Point & { radiusM: number }) | null): void {
    const around = place && circle(place.lat, place.lon, place.radiusM)
    this.put('accuracy', around ? { type: 'FeatureCollection', features: [around] } : EMPTY)
  }

  setRoute(line: readonly number[][], stops: readonly ShownStop[]): void {
    this.put('route', features.line(line))
    this.put('stops', features.stops(stops))
  }

  setRoutes(routes: Iterable<readonly [string, readonly features.Point[]]>, chosenId: string | null): void {
    this.put('routes', features.routes(routes, chosenId))
  }

  setOrders(orders: readonly Order[], now: number): void {
    this.put('orders', features.orders(orders, now))
  }

  setPlan(ways: readonly { after: boolean; points: readonly features.Point[] }[]): void {
    this.put('plan', features.ways(ways))
  }

  /** Of an area that is being drawn; whoever drags one is told. */
  setCorners(corners: readonly LatLon[], onMove: (index: number, place: LatLon) => void): void {
    if (!this.corners && !corners.length) return
    this.corners ??= new Corners(this.map, onMove)
    this.corners.show(corners)
  }

  setFences(fences: readonly Geofence[]): void {
    this.put('fences', features.fences(fences))
  }

  fit(points: Iterable<features.Point>, options: { instant?: boolean } = {}): void {
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
    const covered = this.options.covered()
    const margin = Math.min(70, (this.map.getContainer().clientWidth - covered) / 5)
    this.map.fitBounds([west, south, east, north] as LngLatBoundsLike, {
      padding: { top: margin, bottom: margin, left: margin, right: margin + covered },
      maxZoom: 15,
      animate: !options.instant && !this.options.reducedMotion,
    })
  }

  centre(point: features.Point, minZoom = 0): void {
    const zoom = Math.max(this.map.getZoom(), minZoom)
    this.map.easeTo({
      center: [point.lon, point.lat],
      zoom,
      offset: [-this.options.covered() / 2, 0],
      duration: 700,
      animate: !this.options.reducedMotion,
    })
  }

  private style(): StyleSpecification | string {
    const { styleUrl } = this.options
    return styleUrl ? themed(styleUrl, this.theme, document.baseURI) : builtIn(this.theme)
  }

  private put(name: Source, data: GeoJSON.FeatureCollection): void {
    this.data.set(name, data)
    if (this.isReady) (this.map.getSource(name) as GeoJSONSource | undefined)?.setData(data)
  }

  private change(name: keyof typeof this.changes, drawn: Iterable<Drawn>): void {
    const changed = this.changes[name].to(drawn)
    if (changed && this.isReady) void (this.map.getSource(name) as GeoJSONSource | undefined)?.updateData(changed)
  }

  private install(): void {
    const { map } = this
    for (const [name, image] of images()) if (!map.hasImage(name)) map.addImage(name, image, { pixelRatio: 2 })
    for (const [name, changes] of Object.entries(this.changes)) this.data.set(name as Source, changes.all)
    for (const name of SOURCES) map.addSource(name, source(name, this.data.get(name) ?? EMPTY))
    for (const layer of layers(this.theme)) map.addLayer(layer)
    map.addLayer(this.markers, 'stops')
    this.isReady = true
    if (!this.options.styleUrl) {
      this.drawGraticule()
      // Couriers and the list first: on a slow line the outlines are as heavy as all the rest.
      let isDue = true
      const outline = () => {
        if (isDue) void this.outline()
        isDue = false
      }
      map.once('idle', outline)
      setTimeout(outline, OUTLINES_AFTER_MS)
    }
  }

  private async outline(): Promise<void> {
    const outlines = await world().catch(() => null) // the graticule alone will do
    if (!outlines || this.isGone) return
    ;(this.map.getSource('land') as GeoJSONSource | undefined)?.setData(outlines.land)
    ;(this.map.getSource('borders') as GeoJSONSource | undefined)?.setData(outlines.borders)
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
    return this.map.queryRenderedFeatures(box, { layers: ['stops', 'couriers', 'clusters', 'orders', 'routes'] })[0]
  }

  private clicked(point: { x: number; y: number }): void {
    const feature = this.pick(point)
    if (!feature) this.handlers.onBackground()
    else if (feature.layer.id === 'routes' || feature.layer.id === 'couriers') this.handlers.onCourier(String(feature.properties.id))
    else if (feature.layer.id === 'stops' || feature.layer.id === 'orders') this.handlers.onOrder(String(feature.properties.order_id))
    else void this.open(feature)
  }

  private async open(cluster: MapGeoJSONFeature): Promise<void> {
    const source = this.map.getSource('couriers') as GeoJSONSource
    const zoom = await source.getClusterExpansionZoom(Number(cluster.properties.cluster_id))
    const [lon, lat] = (cluster.geometry as GeoJSON.Point).coordinates as [number, number]
    this.map.easeTo({ center: [lon, lat], zoom: zoom + 0.3, animate: !this.options.reducedMotion })
  }
}
