/** The map inside the recipient's page: the courier and the door, as far as the link tells them. */

import { RouteMap } from '../courier/routemap'
import type { Config } from '../lib/undescribed'

type Place = { lat: number; lon: number }
/** Of what the link answers to programs; the OpenAPI describes the page that people get. */
type Shared = { state: string; dropoff: Place; courier?: Place | null; stops_before?: number; eta?: { p50: string } | null }

const EVERY_MS = 15_000
const link = location.pathname.replace(/\/map$/, '')
const dark = matchMedia('(prefers-color-scheme: dark)')
const theme = () => (dark.matches ? 'dark' : 'light')

async function ask<T>(path: string): Promise<T | null> {
  const answer = await fetch(path, { headers: { Accept: 'application/json' }, signal: AbortSignal.timeout(EVERY_MS) }).catch(() => null)
  if (answer?.status === 404) parent.location.reload() // it is over
  return answer?.ok ? answer.json() : null
}

const config = await ask<Config>('/ui/config.json')
const map = new RouteMap(document.getElementById('map')!, {
  styleUrl: config?.map_style_url ?? '',
  attribution: config?.map_attribution ?? '',
  theme: theme(),
})
dark.addEventListener('change', () => map.setTheme(theme()))

/** What the page around the map says; it is read again when that changes. */
const told = ({ state, stops_before, eta }: Shared) => [state, stops_before, eta?.p50.slice(0, 16)].join()
let before: string | null = null

async function look(): Promise<void> {
  const shared = await ask<Shared>(link)
  if (shared) {
    const here = shared.courier ?? null
    if (before !== null && before !== told(shared)) parent.location.reload()
    before = told(shared)
    map.show({ line: [], stops: [shared.dropoff], offered: here ? [here] : [], here })
  }
  setTimeout(() => void look(), EVERY_MS)
}
void look()
