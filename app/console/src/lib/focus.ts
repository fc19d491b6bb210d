/** Focus goes where the eye goes: into what opens, and back to where it came from when that closes. */

import { tick } from 'svelte'

/** Where the list has what was opened, or else the list itself. */
const FALLBACK = '.list [aria-current="true"], [role="tab"][aria-selected="true"]'

/** Where the focus was before what is open was opened, the last of it last: of panels that follow each other some are gone. */
let trail: HTMLElement[] = []
const LONGEST = 10

/** An attachment of what opens: what is marked `data-first` has the focus then, or its heading, or what comes first in it. */
export function entered(node: HTMLElement): () => void {
  const focused = document.activeElement
  if (focused instanceof HTMLElement && focused !== document.body && !node.contains(focused))
    trail = [...trail.filter((one) => one.isConnected && one !== focused), focused].slice(-LONGEST)
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
      const back = trail.findLast((one) => one.isConnected) ?? document.querySelector<HTMLElement>(FALLBACK)
      back?.focus({ preventScroll: true })
    })
  }
}
