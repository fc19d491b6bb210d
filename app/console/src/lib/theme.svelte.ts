/** Light or dark: as the person chose, else as the system is. */

export type ThemeChoice = 'auto' | 'light' | 'dark'
export const CHOICES: ThemeChoice[] = ['auto', 'light', 'dark']
const KEY = 'theme'

export class Theme {
  choice = $state<ThemeChoice>((localStorage.getItem(KEY) as ThemeChoice | null) ?? 'auto')
  private readonly darkQuery = matchMedia('(prefers-color-scheme: dark)')
  private prefersDark = $state(this.darkQuery.matches)
  readonly now = $derived(this.choice === 'auto' ? (this.prefersDark ? 'dark' : 'light') : this.choice)

  /** To be made while a component is: the page is coloured as long as that lives. */
  constructor() {
    this.darkQuery.addEventListener('change', (event) => (this.prefersDark = event.matches))
    $effect(() => {
      document.documentElement.dataset.theme = this.now
      localStorage.setItem(KEY, this.choice)
    })
  }
}
