/** Local times of a zone; a region's times are shown and written down in the region's zone, wherever the viewer is. */

const parts = new Map<string, Intl.DateTimeFormat>()

function partsOf(zone: string): Intl.DateTimeFormat {
  let format = parts.get(zone)
  if (!format) {
    format = new Intl.DateTimeFormat('en-CA', {
      timeZone: zone,
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      hourCycle: 'h23',
    })
    parts.set(zone, format)
  }
  return format
}

export const ownZone = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone

/** What a browser's data does not know is shown in the viewer's own zone: a wrong name must not empty the page. */
export function known(zone: string | undefined): string {
  try {
    if (zone) return new Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone
  } catch {
    // falls through
  }
  return ownZone()
}

/** "2026-05-04T14:05", as `<input type="datetime-local">` has it. */
export function wallTime(at: number, zone: string): string {
  const found = Object.fromEntries(partsOf(zone).formatToParts(at).map(({ type, value }) => [type, value]))
  return `${found.year}-${found.month}-${found.day}T${found.hour}:${found.minute}`
}

const asUtc = (wall: string) => Date.parse(`${wall.slice(0, 16)}:00Z`)

/** How far the zone's clocks are before UTC, in milliseconds. */
export const offsetMs = (at: number, zone: string): number => asUtc(wallTime(at, zone)) - Math.floor(at / 60_000) * 60_000

/** The instant of a local time; of one that the clocks skip the one an hour later, of one that they repeat the first. */
export function instantOf(wall: string, zone: string): number {
  const utc = asUtc(wall)
  const candidates = [offsetMs(utc - 86_400_000, zone), offsetMs(utc + 86_400_000, zone)].map((offset) => utc - offset)
  const fitting = candidates.filter((at) => wallTime(at, zone) === wall.slice(0, 16))
  return fitting.length ? Math.min(...fitting) : Math.max(...candidates)
}
