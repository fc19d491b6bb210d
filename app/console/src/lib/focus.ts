/** Focus goes where the eye goes: into what opens, and back to where it came from when that closes. */

import { tick } from 'svelte'

/** Where the list has what was opened, or else the list itself. */
const FALLBACK = '.list [aria-current="true"], [role="tab"][aria-selected="true"]'

/** An attachment of what opens: what is marked `data-first` has the focus then, or its heading, or what comes first in it. */
export function entered(node: HTMLElement): () => void {
  const focused = document.activeElement
  const before = focused instanceof HTMLElement && focused !== document.body && !node.contains(focused) ? focused : null
  void tick().then(() => {
    if (!node.isConnected || node.contains(document.activeElement)) return
    const target = ['[data-first]', 'h2', 'input, select, textarea, button'].reduce<HTMLElement | null>(
      (found, selector) => found ?? node.querySelector<HTMLElement>(selector),
      null,
    )
    if (target?.tagName === 'H2') target.tabIndex = -1
    target?.focus({ preventScroll: true })
  })
  return () => {
    const focused = document.activeElement
    if (focused && focused !== document.body && !node.contains(focused)) return
    void tick().then(() => {
      if (document.activeElement && document.activeElement !== document.body) return
      const back = before?.isConnected ? before : document.querySelector<HTMLElement>(FALLBACK)
      back?.focus({ preventScroll: true })
    })
  }
}
