import { expect, it } from 'vitest'
import { reasonsFor } from '../src/lib/reasons'
import type { Region } from '../src/lib/types'

it('a region’s own quick reasons stand in place of the usual ones, for what it has any', () => {
  const region = { settings: { desk: { reasons: { cancel: ['Chuva forte'], retry: [] } } } } as unknown as Region
  expect(reasonsFor('cancel', region)).toEqual(['Chuva forte'])
  expect(reasonsFor('retry', region)).toEqual(reasonsFor('retry', undefined))
  expect(reasonsFor('retry', undefined)).toContain('Recipient asked')
  expect(reasonsFor('comments', region)).toEqual([])
})
