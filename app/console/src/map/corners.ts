/** The area that is being drawn: its outline, and a handle at each corner that can be dragged. */

import { type GeoJSONSource, type Map as MapLibre, Marker } from 'maplibre-gl'
import { polygonOf } from '../lib/areas'
import type { LatLon } from '../lib/picking.svelte'

const SOURCE = 'drawn'
const COLOUR = '#b45309'

export class Corners {
  private handles: Marker[] = []
  private drawn: readonly LatLon[] = []

  constructor(
    private readonly map: MapLibre,
    private readonly onMove: (index: number, place: LatLon) => void,
  ) {
    map.on('style.load', () => this.draw())
  }

  show(corners: readonly LatLon[]): void {
    this.drawn = corners
    while (this.handles.length > corners.length) this.handles.pop()!.remove()
    corners.forEach(({ lat, lon }, index) => {
      if (!this.handles[index]) this.handles.push(this.handle(index).setLngLat([lon, lat]).addTo(this.map))
      else this.handles[index].setLngLat([lon, lat])
    })
    this.draw()
  }

  private handle(index: number): Marker {
    const marker = new Marker({ draggable: true, color: COLOUR, scale: 0.6 })
    marker.on('dragend', () => {
      const { lat, lng } = marker.getLngLat()
      this.onMove(index, { lat, lon: lng })
    })
    return marker
  }

  private draw(): void {
    const line = this.drawn.map(({ lat, lon }) => [lon, lat])
    const geometry: GeoJSON.Geometry = polygonOf(this.drawn) ?? { type: 'LineString', coordinates: line }
    const data: GeoJSON.FeatureCollection = {
      type: 'FeatureCollection',
      features: line.length > 1 ? [{ type: 'Feature', geometry, properties: {} }] : [],
    }
    const source = this.map.getSource(SOURCE) as GeoJSONSource | undefined
    if (source) return void source.setData(data)
    if (!data.features.length || !this.map.isStyleLoaded()) return
    this.map.addSource(SOURCE, { type: 'geojson', data })
    this.map.addLayer({ id: `${SOURCE}-fill`, type: 'fill', source: SOURCE, paint: { 'fill-color': COLOUR, 'fill-opacity': 0.15 } })
    this.map.addLayer({ id: `${SOURCE}-line`, type: 'line', source: SOURCE, paint: { 'line-color': COLOUR, 'line-width': 2 } })
  }
}
