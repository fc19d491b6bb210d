import { join } from 'node:path'
import { expect, it } from 'vitest'
import { heaps } from '../chunks.config'

const root = join(import.meta.dirname, '..')
/** What each imports; behind a "?" only later. */
const IMPORTS: Record<string, string[]> = {
  'index.html': ['early.ts', 'desk.ts'],
  'early.ts': ['live.ts'],
  'desk.ts': ['svelte.js', 'live.ts', 'both.ts', '?form.ts'],
  'form.ts': ['svelte.js', 'money.ts', 'fields.ts'],
  'courier.html': ['phone.ts'],
  'phone.ts': ['svelte.js', 'both.ts', 'money.ts'],
  'place.html': ['svelte.js'],
}
const path = (name: string) => join(root, name)
const graph = {
  getModuleInfo(id: string) {
    const names = IMPORTS[id.slice(root.length + 1)] ?? []
    const those = (isLater: boolean) => names.filter((name) => name.startsWith('?') === isLater).map((name) => path(name.replace('?', '')))
    return { importedIds: those(false), dynamicallyImportedIds: those(true) }
  },
}
const [heap] = heaps(['index.html', 'courier.html', 'place.html'], 'early.ts')
const heapOf = (name: string) => heap!.name(path(name), graph)

it('what a page needs to begin is one file, and another for each company that it keeps', () => {
  expect(['desk.ts', 'phone.ts', 'both.ts', 'svelte.js'].map(heapOf)).toEqual(['index', 'courier', 'index-courier', 'index-courier-place'])
})

it('what runs first waits for nothing else', () => {
  expect(['early.ts', 'live.ts'].map(heapOf)).toEqual(['early', 'early'])
})

it('no page ever loads what begins another: what it needs later is in no heap', () => {
  expect(['money.ts', 'form.ts', 'fields.ts'].map(heapOf)).toEqual([null, null, null])
})
