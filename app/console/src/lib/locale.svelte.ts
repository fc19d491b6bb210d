/** How the page speaks: its language, how numbers and dates are written, and in which zone times are told. */

import { known, offsetMs, ownZone } from './zone'

export const LANGUAGES = { en: 'English', ru: 'Русский' } as const
export type Language = keyof typeof LANGUAGES

const KEY = 'language'
const isPage = typeof document !== 'undefined'
const isLanguage = (text: string | null | undefined): text is Language => !!text && text in LANGUAGES

class Locale {
  private chosen = $state<Language | null>(null)
  /** The first of the browser's languages that the page speaks. */
  private readonly preferred: readonly string[] = isPage ? navigator.languages : ['en-US']
  readonly language: Language = $derived(
    this.chosen ?? this.preferred.map((tag) => tag.slice(0, 2).toLowerCase()).find(isLanguage) ?? 'en',
  )
  /** For numbers and dates: the viewer's own kind of the language, as British English is one of English. */
  readonly tag: string = $derived(
    this.preferred.find((tag) => tag.toLowerCase().startsWith(this.language)) ?? this.language,
  )
  /** The zone of the region that is looked at. */
  zone = $state(ownZone())

  constructor() {
    if (!isPage) return
    const stored = localStorage.getItem(KEY)
    if (isLanguage(stored)) this.chosen = stored
    document.documentElement.lang = this.language
  }

  speak(language: Language): void {
    this.chosen = language
    if (!isPage) return
    localStorage.setItem(KEY, language)
    document.documentElement.lang = language
  }

  setZone(zone: string | undefined): void {
    this.zone = known(zone)
  }

  /** Whether the viewer's own clock shows something else than the region's. */
  differs(at: number): boolean {
    return offsetMs(at, this.zone) !== offsetMs(at, ownZone())
  }
}

export const locale = new Locale()
