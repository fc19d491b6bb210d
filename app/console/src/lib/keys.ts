/** The keys of the page; panels/Help.svelte tells them. */

import type { Tab } from './address.svelte'

export interface Acts {
  search(): void
  /** To the next courier or order of the list, or to the one before. */
  step(by: 1 | -1): void
  follow(): void
  showAll(): void
  /** The board of routes, or the map again. */
  board(): void
  /** Write down a new order. */
  order(): void
  /** Take the last thing back, while that can be. */
  undo(): void
  help(): void
  tab(tab: Tab): void
  /** Out of what is open; `from` has the focus. */
  leave(from: HTMLElement): void
}

export function onKey(acts: Acts): (event: KeyboardEvent) => void {
  const keys: Record<string, () => void> = {
    '/': acts.search,
    j: () => acts.step(1),
    k: () => acts.step(-1),
    f: acts.follow,
    a: acts.showAll,
    b: acts.board,
    n: acts.order,
    u: acts.undo,
    '?': acts.help,
    1: () => acts.tab('couriers'),
    2: () => acts.tab('orders'),
    3: () => acts.tab('alerts'),
  }
  return (event) => {
    const target = event.target as HTMLElement
    if (event.key === 'Escape') return acts.leave(target)
    if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)) return
    const act = keys[event.key]
    if (!act) return
    event.preventDefault()
    act()
  }
}
