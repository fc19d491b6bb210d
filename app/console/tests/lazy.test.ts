import type { Component } from 'svelte'
import { expect, it } from 'vitest'
import { Lazy } from '../src/lib/lazy.svelte'

const View = (() => ({})) as unknown as Component

it('a view is brought once, however many look at it', async () => {
  let nBrought = 0
  const lazy = new Lazy(async () => ({ default: (nBrought++, View) }))
  expect(lazy.view).toBeNull()
  await Promise.all([lazy.load(), lazy.load()])
  await lazy.load()
  expect([lazy.view, nBrought]).toEqual([View, 1])
})

it('a view that did not come is said to be missing, and comes when somebody looks again', async () => {
  let isAway = true
  const lazy = new Lazy(async () => {
    if (isAway) throw new TypeError('Failed to fetch dynamically imported module')
    return { default: View }
  })
  await lazy.load()
  expect([lazy.view, lazy.isMissing]).toEqual([null, true])
  isAway = false
  await lazy.load()
  expect([lazy.view, lazy.isMissing]).toEqual([View, false])
})
