/** What the page looks at: all of it stands in the address, so that a view can be shared, comes back on reload, and Back leaves it. */

import { EVERYTHING, type Filter, fromQuery, intoQuery } from './filter'
import { KINDS, type Kind, type Sort, SORTS } from './orders'
import { isOpenable, type Tab, TABS } from './views'

export type { Tab }

export class Address {
  /** Which region is looked at; one at a time, for a region is a city. */
  region = $state('')
  tab = $state<Tab>('couriers')
  filter = $state.raw<Filter>(EVERYTHING)
  /** Which orders are listed, and in which order. */
  orders = $state<Kind>('open')
  ordersBy = $state<Sort>('newest')
  courierId = $state<string | null>(null)
  orderId = $state<string | null>(null)
  follows = $state(false)
  /** The board of routes instead of the map. */
  board = $state(false)
  /** Plans are being thought of. */
  plan = $state(false)
  /** What lies over the rest, by name: see `views.ts`. */
  opened = $state<string | null>(null)
  /** The beginning of the past hour of the chosen courier that is looked at. */
  past = $state<number | null>(null)

  /** `home`: the region that need not be named; `moved`: Back or Forward led to another region. */
  constructor(
    private readonly home: () => string | undefined,
    moved: () => void = () => {},
  ) {
    this.read()
    addEventListener('popstate', () => {
      const before = this.region
      this.read()
      if (this.region !== before) moved()
    })
  }

  setFilter(change: Partial<Filter>): void {
    this.filter = { ...this.filter, ...change }
    this.write()
  }

  setTab(tab: Tab): void {
    this.tab = tab
    this.write()
  }

  setOrders(change: { kind?: Kind; by?: Sort }): void {
    this.tab = 'orders'
    this.orders = change.kind ?? this.orders
    this.ordersBy = change.by ?? this.ordersBy
    this.write()
  }

  setBoard(board: boolean): void {
    this.board = board
    this.open()
  }

  setPlan(plan: boolean): void {
    this.plan = plan
    this.open()
  }

  setFollows(follows: boolean): void {
    this.follows = follows
    this.write()
  }

  setOpened(opened: string | null): void {
    this.opened = opened
    this.open()
  }

  setPast(past: number | null): void {
    this.past = past
    this.open()
  }

  /** Something else is open now: Back comes back to what was. */
  open(): void {
    this.write(true)
  }

  private read(): void {
    const query = new URLSearchParams(location.search)
    this.filter = fromQuery(query)
    this.region = query.get('region') ?? this.home() ?? this.region
    const tab = query.get('tab')
    this.tab = TABS.find((one) => one === tab) ?? 'couriers'
    this.orders = KINDS.find((one) => one === query.get('orders')) ?? 'open'
    this.ordersBy = SORTS.find((one) => one === query.get('by')) ?? 'newest'
    this.courierId = query.get('courier')
    this.orderId = query.get('order')
    this.board = query.get('view') === 'board'
    this.follows = query.has('follow') && this.courierId !== null
    const opened = query.get('open')
    this.opened = isOpenable(opened) ? opened : null
    this.plan = query.has('plan')
    const past = Date.parse(query.get('past') ?? '')
    this.past = Number.isNaN(past) || this.courierId === null ? null : past
  }

  write(isNew = false): void {
    const query = new URLSearchParams(location.search)
    intoQuery(this.filter, query)
    const put = (name: string, value: string | null) => (value ? query.set(name, value) : query.delete(name))
    put('tab', this.tab === 'couriers' ? null : this.tab)
    put('orders', this.orders === 'open' ? null : this.orders)
    put('by', this.ordersBy === 'newest' ? null : this.ordersBy)
    put('region', this.region && this.region !== this.home() ? this.region : null)
    put('courier', this.courierId)
    put('order', this.orderId)
    put('view', this.board ? 'board' : null)
    put('follow', this.follows ? '1' : null)
    put('open', this.opened)
    put('plan', this.plan ? '1' : null)
    put('past', this.past === null ? null : new Date(this.past).toISOString().replace(/:\d\d\.\d+Z/, 'Z'))
    const text = query.toString()
    const url = `${location.pathname}${text ? `?${text}` : ''}${location.hash}`
    if (isNew && url !== `${location.pathname}${location.search}${location.hash}`) history.pushState(null, '', url)
    else history.replaceState(null, '', url)
  }
}
