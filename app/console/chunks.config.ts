/** Few files at the start: over a slow line each costs as much as 20 kB, and a browser asks for six at a time. */

import { join } from 'node:path'

type Graph = { getModuleInfo(id: string): { importedIds: string[]; dynamicallyImportedIds: string[] } | null }

/** Of each module which of these load it, at the start or, with `later`, ever. */
function needs(graph: Graph, pages: readonly string[], later: boolean): Map<string, string[]> {
  const found = new Map<string, string[]>()
  for (const page of pages) {
    const left = [join(import.meta.dirname, page)]
    for (let id = left.pop(); id !== undefined; id = left.pop()) {
      const already = found.get(id) ?? []
      if (already.includes(page)) continue
      found.set(id, [...already, page])
      const module = graph.getModuleInfo(id)
      left.push(...(module?.importedIds ?? []), ...((later && module?.dynamicallyImportedIds) || []))
    }
  }
  return found
}

/**
 * `early` is for itself, with what it imports: it runs while the rest is on its way.
 * A file for what one page needs at its start and no other page ever does, and for what several do: none loads what
 * only others need. The rest, loaded later by `import()`, is split as it comes.
 */
export function heaps(pages: readonly string[], early: string) {
  let before: Map<string, string[]> | undefined
  let first: Map<string, string[]> | undefined
  let ever: Map<string, string[]> | undefined
  const name = (id: string, graph: Graph) => {
    before ??= needs(graph, [early], false)
    if (before.has(id)) return 'early'
    first ??= needs(graph, pages, false)
    ever ??= needs(graph, pages, true)
    const who = first.get(id)
    return who && ever.get(id)!.length === who.length ? who.map((page) => page.replace('.html', '')).join('-') : null
  }
  return [{ name }]
}
