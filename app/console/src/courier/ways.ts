/** Links that other apps of the phone open: the way to a place, a call. */

interface Place {
  lat: number
  lon: number
}

export const NAVIGATORS = {
  geo: ({ lat, lon }: Place) => `geo:${lat},${lon}?q=${lat},${lon}`,
  google: ({ lat, lon }: Place) => `https://www.google.com/maps/dir/?api=1&destination=${lat},${lon}`,
  yandex: ({ lat, lon }: Place) => `yandexnavi://build_route_on_map?lat_to=${lat}&lon_to=${lon}`,
  osmand: ({ lat, lon }: Place) => `osmand.navigation:q=${lat},${lon}`,
} as const
export type Navigator = keyof typeof NAVIGATORS

/** The first number of a contact as a link; null: there is none. */
export function callOf(contact: Record<string, string> | null | undefined): string | null {
  for (const [name, value] of Object.entries(contact ?? {})) {
    const digits = value.replaceAll(/[^\d+*#]/g, '')
    if (/phone|tel|mobile/i.test(name) && digits) return `tel:${digits}`
  }
  return null
}

/** Farther than this from the door, beyond what the phone may be wrong by, is worth a question. */
export const FAR_M = 250
