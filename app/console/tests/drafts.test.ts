import { expect, it } from 'vitest'
import { Drafts } from '../src/lib/drafts'

const draft = (text: string) => ({ text, courierId: '' })

it('a draft is kept for its order and its form, and the form written in last comes back', () => {
  const drafts = new Drafts()
  drafts.keep('a', 'cancel', draft('no time'))
  drafts.keep('a', 'comments', draft('she called'))
  drafts.keep('a', 'cancel', draft('no time at all'))
  expect(drafts.latest('a')).toBe('cancel')
  expect(drafts.of('a', 'cancel')?.text).toBe('no time at all')
  expect(drafts.of('a', 'comments')?.text).toBe('she called')
  expect([drafts.latest('b'), drafts.of('b', 'cancel')]).toEqual([null, undefined])
})

it('a draft that was emptied, sent or dropped is gone', () => {
  const drafts = new Drafts()
  drafts.keep('a', 'cancel', draft('no time'))
  drafts.keep('a', 'cancel', draft('  '))
  expect(drafts.latest('a')).toBe(null)
  drafts.keep('a', 'reassign', { text: '', courierId: 'anna' })
  expect(drafts.latest('a')).toBe('reassign')
  drafts.drop('a', 'reassign')
  expect(drafts.latest('a')).toBe(null)
})
