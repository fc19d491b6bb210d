/** Words for numbers and times: in the viewer's language, in the region's time zone. */

import { units } from '../words/units'
import { number } from './catalogue'
import { locale } from './locale.svelte'

/** "12 s", "4 min", "2 h 5 min", "3 d": short enough for a marker. */
export function age(seconds: number): string {
  const s = Math.max(0, Math.round(seconds))
  if (s < 60) return `${s} ${units.s}`
  if (s < 3600) return `${Math.floor(s / 60)} ${units.min}`
  if (s < 86_400) {
    const minutes = Math.floor((s % 3600) / 60)
    const hours = `${Math.floor(s / 3600)} ${units.h}`
    return minutes ? `${hours} ${minutes} ${units.min}` : hours
  }
  return `${number(Math.floor(s / 86_400))} ${units.d}`
}

const TIME = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const
const FORMATS = {
  time: TIME,
  clock: { ...TIME, second: '2-digit' },
  dated: { ...TIME, day: 'numeric', month: 'short' },
  day: { weekday: 'short', day: 'numeric', month: 'short' },
} as const satisfies Record<string, Intl.DateTimeFormatOptions>
const made = new Map<string, Intl.DateTimeFormat>()

function formatted(how: keyof typeof FORMATS, at: Date): string {
  if (Number.isNaN(at.getTime())) return '–'
  const key = `${how} ${locale.tag} ${locale.zone}`
  let format = made.get(key)
  if (!format) made.set(key, (format = new Intl.DateTimeFormat(locale.tag, { ...FORMATS[how], timeZone: locale.zone })))
  return format.format(at)
}

/** "14:05", or with the day when it is not today. */
export function time(at: string | number | Date, now: number = Date.now()): string {
  const date = new Date(at)
  return formatted(Math.abs(date.getTime() - now) < 12 * 3_600_000 ? 'time' : 'dated', date)
}

export function clock(at: string | number | Date): string {
  return formatted('clock', new Date(at))
}

/** "Mon, 4 May" */
export function day(at: string | number | Date): string {
  return formatted('day', new Date(at))
}

export function distance(metres: number): string {
  return metres < 1000 ? `${Math.round(metres)} ${units.m}` : `${number(metres / 1000, metres < 10_000 ? 1 : 0)} ${units.km}`
}

export function speed(metresPerSecond: number | null | undefined): string {
  return metresPerSecond == null ? '–' : `${Math.round(metresPerSecond * 3.6)} ${units.kmh}`
}

export function percent(value: number): string {
  return `${number(value)} %`
}

const COMPASS = ['n', 'ne', 'e', 'se', 's', 'sw', 'w', 'nw'] as const

export function compass(degrees: number | null | undefined): string {
  return degrees == null ? '–' : units.compass[COMPASS[Math.round(degrees / 45) % 8]!]
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
