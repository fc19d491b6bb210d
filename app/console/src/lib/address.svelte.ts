/** What the page looks at: all of it stands in the address, so that a view can be shared and comes back on reload. */

import { EVERYTHING, type Filter, fromQuery, intoQuery } from './filter'

export type Tab = 'couriers' | 'orders' | 'alerts'

export class Address {
  /** Which region is looked at; one at a time, for a region is a city. */
  region = $state('')
  tab = $state<Tab>('couriers')
  filter = $state.raw<Filter>(EVERYTHING)
  courierId = $state<string | null>(null)
  orderId = $state<string | null>(null)
  follows = $state(false)
  /** The board of routes instead of the map. */
  board = $state(false)

  /** `home`: the region that need not be named. */
  constructor(private readonly home: () => string | undefined) {
    this.read()
    addEventListener('popstate', () => this.read())
  }

  setFilter(change: Partial<Filter>): void {
    this.filter = { ...this.filter, ...change }
    this.write()
  }

  setTab(tab: Tab): void {
    this.tab = tab
    this.write()
  }

  setBoard(board: boolean): void {
    this.board = board
    this.write()
  }

  setFollows(follows: boolean): void {
    this.follows = follows
    this.write()
  }

  private read(): void {
    const query = new URLSearchParams(location.search)
    this.filter = fromQuery(query)
    this.region = query.get('region') ?? this.region
    const tab = query.get('tab')
    this.tab = tab === 'orders' || tab === 'alerts' ? tab : 'couriers'
    this.courierId = query.get('courier')
    this.orderId = query.get('order')
    this.board = query.get('view') === 'board'
    this.follows = query.has('follow') && this.courierId !== null
  }

  write(): void {
    const query = new URLSearchParams(location.search)
    intoQuery(this.filter, query)
    const put = (name: string, value: string | null) => (value ? query.set(name, value) : query.delete(name))
    put('tab', this.tab === 'couriers' ? null : this.tab)
    put('region', this.region && this.region !== this.home() ? this.region : null)
    put('courier', this.courierId)
    put('order', this.orderId)
    put('view', this.board ? 'board' : null)
    put('follow', this.follows ? '1' : null)
    const text = query.toString()
    history.replaceState(null, '', `${location.pathname}${text ? `?${text}` : ''}${location.hash}`)
  }
}
