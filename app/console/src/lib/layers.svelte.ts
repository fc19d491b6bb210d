/** What the map shows besides couriers: as the person chose in this browser. */

import { toggled } from './filter'

const LAYERS = ['trails', 'routes', 'orders'] as const
type Layer = (typeof LAYERS)[number]
const KEY = 'map-layers'

function kept(): ReadonlySet<Layer> {
  const names = localStorage.getItem(KEY)
  return new Set<Layer>(names === null ? ['trails'] : LAYERS.filter((layer) => names.split(' ').includes(layer)))
}

export class Layers {
  private shown = $state.raw(kept())

  has(layer: Layer): boolean {
    return this.shown.has(layer)
  }

  toggle(layer: Layer): void {
    this.shown = toggled(this.shown, layer)
    localStorage.setItem(KEY, [...this.shown].join(' '))
  }
}
