import { expect, it } from 'vitest'
import { waysBack } from '../src/lib/bulk'
import { Selection } from '../src/lib/selection.svelte'
import type { Order } from '../src/lib/types'

const LISTED = ['a', 'b', 'c', 'd', 'e']

it('a range goes from the last ticked to the one that is clicked, either way', () => {
  const selection = new Selection()
  selection.toggle('d', LISTED, false)
  selection.toggle('b', LISTED, true)
  expect([...selection.ids].sort()).toEqual(['b', 'c', 'd'])
  selection.toggle('c', LISTED, false)
  expect([...selection.ids].sort()).toEqual(['b', 'd'])
})

it('a range from what is not listed any more is the one that is clicked', () => {
  const selection = new Selection()
  selection.toggle('gone', ['gone', ...LISTED], false)
  selection.toggle('c', LISTED, true)
  expect([...selection.ids].sort()).toEqual(['c', 'gone'])
})

it('all of the list are ticked, and unticked when they are', () => {
  const selection = new Selection()
  selection.toggle('b', LISTED, false)
  selection.toggleAll(LISTED)
  expect(selection.ids.size).toBe(5)
  selection.toggleAll(LISTED)
  expect(selection.ids.size).toBe(0)
})

it('what was reassigned goes back to whoever had it, pinned or not, and to nobody', () => {
  const order = (id: string, courier_id: string | null, pinned = false) => ({ id, courier_id, pinned }) as Order
  const before = [order('a', 'eva'), order('b', null), order('c', 'eva'), order('d', 'eva', true)]
  expect(waysBack('reassign', before).map(({ action, ids, facts }) => [action, ids, facts.courier_id, facts.pinned])).toEqual([
    ['reassign', ['a', 'c'], 'eva', false],
    ['unassign', ['b'], undefined, undefined],
    ['reassign', ['d'], 'eva', true],
  ])
  expect(waysBack('pin', before).map(({ action, ids }) => [action, ids])).toEqual([['unpin', ['a', 'b', 'c']]])
})
