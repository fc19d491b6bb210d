/** The tasks as they are once the server knows what was said: the page never waits for a network. */

import type { Go, Said, Task } from './shapes'

const MINUTE_MS = 60_000
/** Begun so much before its slot it is still in time: what is to be begun now is what comes next. */
export const SOON_MS = 2 * MINUTE_MS

export function tasksAfter(tasks: readonly Task[], said: readonly Said[]): Task[] {
  return tasks.map((task) => said.filter(({ orderId }) => orderId === task.order_id).reduce(after, task))
}

function after(task: Task, { step, at, body }: Said): Task {
  switch (step) {
    case 'start':
      return task.state === 'waiting' ? { ...task, state: 'started', starts_at: at, problem: null, cannot: null } : task
    case 'ready':
      return { ...task, state: 'ready', ends_at: at, problem: null, cannot: null }
    case 'delay':
      return { ...task, ends_at: later(task.ends_at ?? task.ready_at ?? at, Number(body.minutes)) }
    case 'problem':
      return { ...task, state: 'waiting', problem: String(body.text), cannot: 'problem' }
    case 'skip':
      return task
  }
}

/** The same for what is made ahead: what is ready, or not wanted, is gone. */
export function goesAfter(goes: readonly Go[], said: readonly Said[]): Go[] {
  const last = new Map(said.filter(({ orderId }) => !orderId).map((one) => [one.body.item, one]))
  return goes.flatMap((go): Go[] => {
    const one = last.get(go.item)
    if (!one) return [go]
    return one.step === 'start' ? [{ ...go, state: 'started', starts_at: one.at }] : []
  })
}

const later = (at: string, minutes: number): string => new Date(Date.parse(at) + minutes * MINUTE_MS).toISOString()

export interface Slots {
  /** To be begun now, or late. */
  now: Task[]
  started: Task[]
  later: Task[]
  /** It cannot be made as it is. */
  cannot: Task[]
  ready: Task[]
}

/** By what is to be done with them. */
export function slotsOf(tasks: readonly Task[], now: number): Slots {
  const slots: Slots = { now: [], started: [], later: [], cannot: [], ready: [] }
  for (const task of tasks) {
    if (task.state !== 'waiting') slots[task.state].push(task)
    else if (task.cannot || !task.starts_at) slots.cannot.push(task)
    else slots[Date.parse(task.starts_at) - now <= SOON_MS ? 'now' : 'later'].push(task)
  }
  return slots
}
