/** The route on a map: its stops in order, what is offered, and where the phone is. */

import { AttributionControl, type GeoJSONSource, type LngLatBoundsLike, Map as MapLibre, setWorkerUrl } from 'maplibre-gl'
import 'maplibre-gl/dist/maplibre-gl.css'
import workerUrl from 'map-worker'
import { builtIn, type Theme, themed, world } from '../map/style'

setWorkerUrl(workerUrl)

interface Place {
  lat: number
  lon: number
}
export interface Shown {
  line: readonly [number, number][]
  stops: readonly Place[]
  offered: readonly Place[]
  here: Place | null
}

const COLOURS = {
  light: { line: '#0f766e', stop: '#0f766e', offer: '#92500a', here: '#0284c7', edge: '#ffffff' },
  dark: { line: '#5eead4', stop: '#5eead4', offer: '#fcd34d', here: '#38bdf8', edge: '#0b1220' },
}

export class RouteMap {
  private readonly map: MapLibre
  private shown: Shown = { line: [], stops: [], offered: [], here: null }
  private isReady = false
  private fitted = ''

  constructor(
    container: HTMLElement,
    private readonly options: { styleUrl: string; attribution: string; theme: Theme },
  ) {
    this.map = new MapLibre({
      container,
      style: this.style(),
      center: [0, 30],
      zoom: 1,
      dragRotate: false,
      maxPitch: 0,
      attributionControl: false,
      fadeDuration: 0,
    })
    this.map.touchZoomRotate.disableRotation()
    const credit = options.styleUrl ? options.attribution : 'Outlines: Natural Earth'
    this.map.addControl(new AttributionControl({ compact: true, customAttribution: credit || undefined }), 'bottom-right')
    this.map.on('style.load', () => this.install())
  }

  destroy(): void {
    this.map.remove()
  }

  setTheme(theme: Theme): void {
    if (theme === this.options.theme) return
    this.options.theme = theme
    this.isReady = false
    this.map.setStyle(this.style(), { diff: false })
  }

  show(shown: Shown): void {
    this.shown = shown
    this.draw()
  }

  private style() {
    const { styleUrl, theme } = this.options
    return styleUrl ? themed(styleUrl, theme, document.baseURI) : builtIn(theme)
  }

  private install(): void {
    const colours = COLOURS[this.options.theme]
    const empty = { type: 'FeatureCollection' as const, features: [] }
    for (const name of ['way', 'places']) this.map.addSource(name, { type: 'geojson', data: empty })
    this.map.addLayer({ id: 'way', type: 'line', source: 'way', paint: { 'line-color': colours.line, 'line-width': 4, 'line-opacity': 0.8 } })
    this.map.addLayer({
      id: 'places',
      type: 'circle',
      source: 'places',
      paint: {
        'circle-color': ['match', ['get', 'kind'], 'here', colours.here, 'offer', colours.offer, colours.stop],
        'circle-radius': ['match', ['get', 'kind'], 'next', 11, 8],
        'circle-stroke-color': colours.edge,
        'circle-stroke-width': 3,
      },
    })
    this.isReady = true
    if (!this.options.styleUrl)
      void world()
        .then(({ land, borders }) => {
          ;(this.map.getSource('land') as GeoJSONSource | undefined)?.setData(land)
          ;(this.map.getSource('borders') as GeoJSONSource | undefined)?.setData(borders)
        })
        .catch(() => undefined) // the route alone will do
    this.draw()
  }

  private draw(): void {
    if (!this.isReady) return
    const { line, stops, offered, here } = this.shown
    const point = ({ lat, lon }: Place, kind: string): GeoJSON.Feature => ({
      type: 'Feature',
      geometry: { type: 'Point', coordinates: [lon, lat] },
      properties: { kind },
    })
    const features = [
      ...stops.map((stop, i) => point(stop, i ? 'stop' : 'next')),
      ...offered.map((stop) => point(stop, 'offer')),
      ...(here ? [point(here, 'here')] : []),
    ]
    const way: GeoJSON.Feature = { type: 'Feature', geometry: { type: 'LineString', coordinates: line as [number, number][] }, properties: {} }
    ;(this.map.getSource('places') as GeoJSONSource).setData({ type: 'FeatureCollection', features })
    ;(this.map.getSource('way') as GeoJSONSource).setData({ type: 'FeatureCollection', features: line.length > 1 ? [way] : [] })
    this.fit([...stops, ...offered])
  }

  /** Whenever the places are others; a courier who has moved the map is left alone otherwise. */
  private fit(places: readonly Place[]): void {
    const key = JSON.stringify(places.map(({ lat, lon }) => [lat, lon]))
    if (!places.length || key === this.fitted) return
    this.fitted = key
    const [lats, lons] = [places.map(({ lat }) => lat), places.map(({ lon }) => lon)]
    const bounds: LngLatBoundsLike = [Math.min(...lons), Math.min(...lats), Math.max(...lons), Math.max(...lats)]
    this.map.fitBounds(bounds, { padding: 40, maxZoom: 15, animate: false })
  }
}
