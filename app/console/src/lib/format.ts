/** Words for numbers and times. */

/** "12 s", "4 min", "2 h 5 min", "3 d": short enough for a marker. */
export function age(seconds: number): string {
  const s = Math.max(0, Math.round(seconds))
  if (s < 60) return `${s} s`
  if (s < 3600) return `${Math.floor(s / 60)} min`
  if (s < 86_400) {
    const minutes = Math.floor((s % 3600) / 60)
    return minutes ? `${Math.floor(s / 3600)} h ${minutes} min` : `${Math.floor(s / 3600)} h`
  }
  return `${Math.floor(s / 86_400)} d`
}

const timeOnly = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hour12: false })
const withSeconds = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hour12: false,
})
const withDate = new Intl.DateTimeFormat(undefined, {
  day: 'numeric',
  month: 'short',
  hour: '2-digit',
  minute: '2-digit',
  hour12: false,
})

/** "14:05", or with the day when it is not today. */
export function time(at: string | number | Date, now: number = Date.now()): string {
  const date = new Date(at)
  if (Number.isNaN(date.getTime())) return '–'
  return Math.abs(date.getTime() - now) < 12 * 3_600_000 ? timeOnly.format(date) : withDate.format(date)
}

export function clock(at: string | number | Date): string {
  return withSeconds.format(new Date(at))
}

export function distance(metres: number): string {
  return metres < 1000 ? `${Math.round(metres)} m` : `${(metres / 1000).toFixed(metres < 10_000 ? 1 : 0)} km`
}

export function speed(metresPerSecond: number | null | undefined): string {
  return metresPerSecond == null ? '–' : `${Math.round(metresPerSecond * 3.6)} km/h`
}

const COMPASS = ['N', 'NE', 'E', 'SE', 'S', 'SW', 'W', 'NW']

export function compass(degrees: number | null | undefined): string {
  return degrees == null ? '–' : COMPASS[Math.round(degrees / 45) % 8]!
}

/** "picked_up" -> "Picked up" */
export function words(name: string): string {
  const text = name.replaceAll(/[_.-]+/g, ' ').trim()
  return text.charAt(0).toUpperCase() + text.slice(1)
}

export function shortId(id: string): string {
  return id.length > 12 ? id.slice(0, 8) : id
}

/** Great-circle distance in metres on a sphere of the mean radius. */
export function metresBetween(a: { lat: number; lon: number }, b: { lat: number; lon: number }): number {
  const rad = Math.PI / 180
  const h =
    Math.sin(((b.lat - a.lat) * rad) / 2) ** 2 +
    Math.cos(a.lat * rad) * Math.cos(b.lat * rad) * Math.sin(((b.lon - a.lon) * rad) / 2) ** 2
  return 2 * 6_371_008.8 * Math.asin(Math.min(1, Math.sqrt(h)))
}
