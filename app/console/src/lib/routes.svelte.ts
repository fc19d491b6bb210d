/** All routes of the region, read in one request while something shows them, and again when something changed. */

import * as api from './api'
import { Later, Single } from './later'
import type { Board, BoardRoute, BoardShift, BoardStop } from './types'

const AGAIN_MS = 2_000
/** Arrivals move without an event: read so often at least. */
const BEAT_MS = 20_000

export class Routes {
  board = $state.raw<Board | null>(null)
  /** Why they could not be read the last time. */
  problem = $state('')
  readonly byCourier: ReadonlyMap<string, BoardRoute> = $derived(new Map((this.board?.routes ?? []).map((route) => [route.courier_id, route])))
  /** When each order is at its door, as far as somebody has it. */
  readonly doors: ReadonlyMap<string, BoardStop> = $derived(
    new Map((this.board?.routes ?? []).flatMap(({ stops }) => stops.flatMap((stop) => (stop.kind === 'dropoff' ? [[stop.order_id, stop] as const] : [])))),
  )
  readonly shifts: ReadonlyMap<string, BoardShift[]> = $derived.by(() => {
    const shifts = new Map<string, BoardShift[]>()
    for (const shift of this.board?.shifts ?? []) shifts.set(shift.courier_id, [...(shifts.get(shift.courier_id) ?? []), shift])
    return shifts
  })
  readonly resting: ReadonlyMap<string, string> = $derived(new Map((this.board?.resting ?? []).map(({ courier_id, until }) => [courier_id, until])))
  private readonly later = new Later()
  private readonly reading = new Single()
  private nUsers = 0
  private nWatchers = 0
  private beat: ReturnType<typeof setInterval> | undefined

  constructor(private readonly inRegion: () => string) {}

  /** From now on somebody looks, until the answer is called; whoever only glances at it now and then is told of no change. */
  use({ glances = false } = {}): () => void {
    if (this.nUsers++ === 0) this.beat = setInterval(() => void this.read(), BEAT_MS)
    if (!glances) this.nWatchers++
    void this.read()
    return () => {
      if (!glances) this.nWatchers--
      if (--this.nUsers === 0) clearInterval(this.beat)
    }
  }

  changed(): void {
    if (this.nWatchers) this.later.run('routes', AGAIN_MS, () => this.read())
  }

  empty(): void {
    this.board = null
    if (this.nUsers) this.later.run('routes', AGAIN_MS, () => this.read())
  }

  read(): Promise<void> {
    return this.reading.run(() => this.readNow())
  }

  private async readNow(): Promise<void> {
    const region = this.inRegion()
    try {
      const board = await api.get<Board>(`/v1/routes?${region}`)
      if (region !== this.inRegion()) return
      this.board = board
      this.problem = ''
    } catch (error) {
      this.problem = error instanceof Error ? error.message : String(error)
    }
  }
}
