/** What is asked of a plan ahead: of a whole day, or of the next wave that leaves a depot in it. */

import { instant } from './neworder'
import type { DayQuestion, Region } from './types'

const DAY_MS = 86_400_000

/** The region's depots that vans leave in waves, by name (its setting `depots.places`). */
export function depotsWithWaves(region: Region | undefined): string[] {
  const places = (region?.settings as { depots?: { places?: { name: string; wave_every_s?: number | null }[] } } | undefined)?.depots?.places
  return (places ?? []).flatMap(({ name, wave_every_s }) => (wave_every_s ? [name] : []))
}

/** `day` as `<input type="date">` writes it; `depot` empty for all of the day. A wave that has left is not asked for. */
export function questionOf(day: string, seconds: number, region: string, depot: string, now: number): DayQuestion {
  const begins = Date.parse(instant(`${day}T00:00`))
  return {
    from: new Date(depot ? Math.max(begins, now) : begins).toISOString(),
    to: new Date(begins + DAY_MS).toISOString(),
    seconds,
    ...(region && { region }),
    ...(depot && { wave: { depot } }),
  }
}
