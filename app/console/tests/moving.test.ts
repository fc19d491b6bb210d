import { expect, it } from 'vitest'
import { prices } from '../src/lib/moving.svelte'
import type { Candidates } from '../src/lib/types'

const NOON = Date.parse('2026-05-04T12:00:00Z')

it('a courier has a price and an arrival, and what speaks against those who cannot', () => {
  const reasons = [
    { code: 'skills', text: 'They lack a skill it needs.' },
    { code: 'mode', text: 'They travel by a mode that may not carry it.' },
  ]
  const weighed = {
    order_id: 'o',
    candidates: [
      { courier_id: 'eva', name: 'Eva', cost: 120, terms: {}, dropoff_at: '2026-05-04T12:30:00Z' },
      { courier_id: 'rui', name: 'Rui', cost: 900, terms: {}, dropoff_at: '2026-05-04T12:50:00Z', late_s: 180 },
    ],
    excluded: [{ courier_id: 'ana', name: 'Ana', code: 'skills', text: reasons[0]!.text, reasons }],
    n_candidates: 2,
    n_excluded: 1,
    reasons: [],
  } as unknown as Candidates
  const found = prices(weighed, NOON)
  expect(found.get('eva')).toEqual({ text: expect.stringContaining('+120'), isBad: false, isRefused: false })
  expect(found.get('rui')).toEqual({ text: expect.stringMatching(/\+900.*3 min/), isBad: true, isRefused: false })
  expect(found.get('ana')).toEqual({ text: 'They lack a skill it needs.; They travel by a mode that may not carry it.', isBad: true, isRefused: true })
})
