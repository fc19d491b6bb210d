import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Undo } from '../src/lib/undo.svelte'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

it('what is held back is sent after ten seconds, once', async () => {
  const [undo, send] = [new Undo(), vi.fn()]
  undo.later('Cancelling', send)
  await vi.advanceTimersByTimeAsync(9_900)
  expect(send).not.toHaveBeenCalled()
  await vi.advanceTimersByTimeAsync(200)
  await undo.settle()
  expect([send.mock.calls.length, undo.done]).toEqual([1, null])
})

it('what is taken back is never sent, and what was done is undone', async () => {
  const [undo, send, back] = [new Undo(), vi.fn(), vi.fn()]
  undo.later('Cancelling', send)
  await undo.takeBack()
  undo.after('Reassigned', back)
  await undo.takeBack()
  await vi.advanceTimersByTimeAsync(20_000)
  expect([send.mock.calls.length, back.mock.calls.length]).toEqual([0, 1])
})

it('the next thing settles the one before, and what goes wrong is told', async () => {
  const undo = new Undo()
  undo.later('Cancelling', () => Promise.reject(new Error('was faster')))
  undo.later('Cancelling another', vi.fn())
  await vi.advanceTimersByTimeAsync(0)
  expect([undo.done?.text, undo.problem]).toEqual(['Cancelling another', 'was faster'])
})
