/** Follows the live stream: reconnects by itself, resumes where it stopped, tells how fresh the data is. */

import type { Order } from './types'
import type { Frame, Happening, Page, Pulse } from './undescribed'

export type Connection = 'connecting' | 'live' | 'delayed' | 'lost'

export interface LiveHandlers {
  onSnapshot(frame: Frame): void
  onDelta(frame: Frame): void
  onEvent(subject: string, event: Happening): void
  /** Orders that just changed, as they are now. */
  onOrders(orders: Order[]): void
  onConnection(connection: Connection, asOf: number | null): void
  /** The server forgot what happened meanwhile: read orders and alerts again. */
  onReset(): void
  onSignedOut(): void
}

const SUBJECTS = ['order', 'offer', 'route', 'alert', 'stay', 'fence', 'courier', 'stop', 'plan', 'region']
/** So much is kept of what happens before somebody follows: the page's script may never come. */
const MOST_UNTOLD = 500
/** The server says something every 5 s; silence for so long means that the connection is dead. */
const SILENCE_MS = 16_000

export class Live {
  private source: EventSource | null = null
  private lastId = ''
  private silence: ReturnType<typeof setTimeout> | undefined
  private retry: ReturnType<typeof setTimeout> | undefined
  private nFailures = 0
  private isClosed = false
  private asOf: number | null = null
  private handlers: LiveHandlers | null = null
  private untold: ((to: LiveHandlers) => void)[] = []

  /** Opened at once; what it says before it is followed is kept. */
  constructor(readonly url: string) {
    this.open()
  }

  follow(handlers: LiveHandlers): void {
    this.handlers = handlers
    const untold = this.untold
    this.untold = []
    if (untold.length > MOST_UNTOLD) this.begin()
    else for (const say of untold) say(handlers)
  }

  close(): void {
    this.isClosed = true
    clearTimeout(this.silence)
    clearTimeout(this.retry)
    this.source?.close()
  }

  private tell(say: (to: LiveHandlers) => void): void {
    if (this.handlers) say(this.handlers)
    else if (this.untold.push(say) > MOST_UNTOLD) this.close()
  }

  /** From the snapshot on. */
  private begin(): void {
    this.isClosed = false
    this.lastId = ''
    this.open()
  }

  private open(): void {
    const url = new URL(this.url, location.href)
    if (this.lastId) url.searchParams.set('last_event_id', this.lastId)
    const source = (this.source = new EventSource(url))
    const listen = (name: string, take: (data: any) => void) =>
      source.addEventListener(name, (event) => {
        if (event.lastEventId) this.lastId = event.lastEventId
        this.heard()
        take(JSON.parse(event.data))
      })
    listen('snapshot', (frame: Frame) => {
      this.fresh(frame.at)
      this.tell((to) => to.onSnapshot(frame))
    })
    listen('delta', (frame: Frame) => {
      this.fresh(frame.at)
      this.tell((to) => to.onDelta(frame))
    })
    listen('pulse', (pulse: Pulse) => {
      if (pulse.connected) this.fresh(pulse.at)
      else this.connection('delayed', Date.parse(pulse.as_of))
    })
    listen('orders', ({ items }: Page<Order>) => this.tell((to) => to.onOrders(items)))
    listen('reset', () => this.tell((to) => to.onReset()))
    listen('bye', () => {
      this.close()
      this.tell((to) => to.onSignedOut())
    })
    for (const subject of SUBJECTS) listen(subject, (event) => this.tell((to) => to.onEvent(subject, event)))
    source.onopen = () => this.heard()
    source.onerror = () => {
      this.connection(this.asOf === null ? 'connecting' : 'lost')
      // A refusal (503, 401) closes an EventSource for good; a broken connection it mends by itself.
      if (source.readyState === EventSource.CLOSED) void this.refused()
    }
    this.heard()
  }

  /** An EventSource does not tell why it was refused, so ask. */
  private async refused(): Promise<void> {
    this.again()
    const answer = await fetch('/v1/me', { signal: AbortSignal.timeout(5000) }).catch(() => null)
    if (answer?.status === 401) {
      this.close()
      this.tell((to) => to.onSignedOut())
    }
  }

  private fresh(at: string): void {
    this.nFailures = 0
    this.connection('live', Date.parse(at))
  }

  private connection(connection: Connection, asOf = this.asOf): void {
    this.asOf = asOf
    this.tell((to) => to.onConnection(connection, asOf))
  }

  private heard(): void {
    clearTimeout(this.silence)
    this.silence = setTimeout(() => {
      this.connection('lost')
      this.again()
    }, SILENCE_MS)
  }

  private again(): void {
    if (this.isClosed) return
    this.source?.close()
    clearTimeout(this.retry)
    clearTimeout(this.silence)
    const pause = Math.min(15_000, 1000 * 2 ** this.nFailures++) * (0.7 + 0.6 * Math.random())
    this.retry = setTimeout(() => {
      if (navigator.onLine === false) this.again()
      else this.open()
    }, pause)
  }
}
