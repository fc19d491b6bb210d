/** The state of the page: who looks at what, what is known of it, and the stream that keeps it current. */

import { Address } from './address.svelte'
import type { Early } from '../early'
import * as api from './api'
import { Bell } from './bell.svelte'
import { Drafts } from './drafts'
import { Editing } from './editing.svelte'
import { isTold } from './lately'
import type { Row } from './filter'
import { Later } from './later'
import { Lists } from './lists.svelte'
import { type Connection, Live } from './live'
import { locale } from './locale.svelte'
import { Picking } from './picking.svelte'
import { Routes } from './routes.svelte'
import { Rows } from './rows.svelte'
import { Selection } from './selection.svelte'
import { Session, type Credentials } from './session.svelte'
import type { Order, Region } from './types'
import { Undo } from './undo.svelte'
import type { Way } from './whatif'
import { alerts as said } from '../words/alerts'
import { Presence } from './presence.svelte'
import type { Frame, Happening, Page } from './undescribed'

const MOST_LATELY = 20
const TICK_MS = 1000

export class Store {
  connection = $state<Connection>('connecting')
  asOf = $state<number | null>(null)
  /** The server's clock in milliseconds, a step a second. */
  now = $state(Date.now())
  /** The same, a step a minute: for what moves by itself, and not by the second. */
  readonly minute: number = $derived(Math.floor(this.now / 60_000) * 60_000)
  hasSnapshot = $state(false)
  /** Counts the changes of the selected courier's route, so that it is read again. */
  routeVersion = $state(0)
  /** Counts the changes of the geofences. */
  fenceVersion = $state(0)
  /** What happened lately to orders, the newest first; of what was seen while the page is open. */
  lately = $state.raw<readonly Happening[]>([])
  regions = $state.raw<ReadonlyMap<string, Region>>(new Map())
  /** What a screen reader is told. */
  announcement = $state('')

  readonly session = new Session()
  readonly undo = new Undo()
  readonly picking = new Picking()
  readonly selection = new Selection()
  readonly address = new Address(
    () => this.session.person?.region,
    () => this.reopen(),
  )
  readonly editing = new Editing(this.address)
  readonly lists = new Lists({
    inRegion: () => this.inRegion,
    isOpened: (orderId) => orderId === this.address.orderId,
    now: () => this.now,
    alarm: (what, who) => {
      this.announcement = said.announced(what, who)
      this.bell.ring(what, who, `postrider-${what}`)
    },
  })
  /** Ways that orders would go, before and after a plan that is looked at. */
  planned = $state.raw<readonly Way[]>([])
  readonly routes = new Routes(() => this.inRegion)
  readonly rows = new Rows(
    this.lists,
    () => this.now,
    () => this.address.filter,
    () => this.session.config,
    () => this.tick(),
  )
  /** The opened order. */
  readonly order: Order | null = $derived(this.lists.orders?.get(this.address.orderId ?? '') ?? null)
  /** The chosen courier; while an order is opened whoever has it, who may change meanwhile. */
  readonly courierId: string | null = $derived(this.order ? (this.order.courier_id ?? null) : this.address.courierId)
  readonly selected: Row | null = $derived(this.rows.byId.get(this.courierId ?? '') ?? null)

  readonly drafts = new Drafts()
  readonly bell = new Bell()
  /** Who else is at the desk. */
  readonly presence = new Presence()

  private offsetMs = 0
  private tickedAt = 0
  private live: Live | null = null
  private readonly later = new Later()

  constructor() {
    setInterval(() => {
      // What moved has just brought the clock along: the page looks at everything once a second, not twice.
      if (Date.now() - this.tickedAt > TICK_MS - 100) this.tick()
    }, TICK_MS)
    api.session.expired = () => this.signedOut()
  }

  async start(early: Early): Promise<void> {
    if ((await this.session.start(early)) && this.session.isReady) this.open(await early.live)
  }

  /** Who had to set a password has set it. */
  async passwordSet(): Promise<void> {
    await this.session.look()
    if (this.session.isReady) this.open()
  }

  async signIn(credentials: Credentials): Promise<void> {
    await this.session.signIn(credentials)
    if (this.session.isReady) this.open()
  }

  /** As the opened address says, in place of who is signed in: nothing of theirs stays. */
  async changePerson(): Promise<void> {
    if (!this.session.offered) return
    await this.undo.forget()
    await this.session.signIn(this.session.offered)
    this.session.offered = null
    this.drafts.clear()
    this.empty()
    if (this.session.isReady) this.open()
  }

  async signOut(): Promise<void> {
    await this.undo.forget()
    const byProvider = this.session.person?.by_provider
    await api.send('POST', '/v1/sign-out').catch(() => undefined)
    this.drafts.clear()
    this.signedOut()
    if (byProvider) location.assign('/v1/sign-in/oidc/out')
  }

  /** Look at another region: forget this one, read that one. */
  setRegion(region: string): void {
    this.address.region = region
    this.select(null)
    this.reopen()
  }

  /** A plan is being thought of: what if, or a day ahead. */
  get isPlanning(): boolean {
    return this.address.plan && this.session.can('dispatcher')
  }
  set isPlanning(isPlanning: boolean) {
    this.address.setPlan(isPlanning)
  }

  /** An order is being written down. */
  get isOrdering(): boolean {
    return this.address.opened === 'new-order' && this.session.can('dispatcher')
  }
  set isOrdering(isOrdering: boolean) {
    this.address.setOpened(isOrdering ? 'new-order' : null)
  }

  /** `isStep`: one of many on the way through the list, which Back need not go through again. */
  select(courierId: string | null, isStep = false): void {
    if (courierId !== this.courierId) {
      this.address.follows = false
      this.address.past = null
    }
    this.address.courierId = courierId
    this.address.orderId = null
    this.address.write(!isStep)
  }

  /** Opens an order, or closes the opened one and goes back to whoever has it. */
  selectOrder(orderId: string | null, isStep = false): void {
    const before = this.courierId
    this.address.orderId = orderId
    if (orderId === null) this.address.courierId = before
    else if (this.order) this.address.courierId = this.courierId
    if (this.courierId !== before) this.address.follows = false
    this.address.past = null
    this.address.write(!isStep)
  }

  private get inRegion(): string {
    return this.address.region ? `region=${encodeURIComponent(this.address.region)}` : ''
  }

  /** The address names another region. */
  private reopen(): void {
    this.empty()
    this.open()
  }

  private signedOut(): void {
    this.live?.close()
    this.live = null
    this.session.end()
    this.empty()
  }

  private empty(): void {
    this.hasSnapshot = false
    this.lately = []
    this.lists.empty()
    this.selection.clear()
    this.selection.outcome = null
    this.rows.empty()
    this.routes.empty()
  }

  /** `begun`: the stream that the page's head has opened; taken where it is of the same region. */
  private open(begun: Live | null = null): void {
    this.live?.close()
    const person = this.session.person
    if (!person?.regions.includes(this.address.region)) this.address.region = person?.region ?? ''
    void this.readRegions()
    const url = `/v1/live?${this.inRegion}`
    if (begun?.url !== url) begun?.close()
    this.live = begun?.url === url ? begun : new Live(url)
    this.live.follow({
      onSnapshot: (frame) => {
        this.rows.positions.clear()
        this.take(frame)
        this.hasSnapshot = true
        // Only now: what happens from here on is told, so nothing can fall between the lists and the stream.
        this.lists.readAll()
      },
      onDelta: (frame) => this.take(frame),
      onEvent: (subject, event) => this.happened(subject, event),
      onOrders: (orders) => this.lists.ordersBrought(orders),
      onConnection: (connection, asOf) => {
        this.connection = connection
        this.asOf = asOf
      },
      onReset: () => {
        this.routeVersion++
        this.routes.changed()
      },
      onSignedOut: () => this.signedOut(),
    })
  }

  /** Their names, settings and time zones; without them times are the viewer's own. */
  private async readRegions(): Promise<void> {
    const page = await api.find<Page<Region>>('/v1/regions').catch(() => null)
    if (page) this.regions = new Map(page.items.map((region) => [region.name, region]))
    locale.setZone(this.regions.get(this.address.region)?.timezone)
  }

  private tick(): void {
    this.tickedAt = Date.now()
    this.now = this.tickedAt + this.offsetMs
    this.lists.watchAlerts()
  }

  private take(frame: Frame): void {
    this.offsetMs = Date.parse(frame.at) - Date.now()
    const strangers = this.rows.take(frame)
    // The list of couriers is read after the first frame.
    if (this.hasSnapshot) this.lists.strangersSeen(strangers)
  }

  private happened(subject: string, event: Happening): void {
    if (isTold(event)) this.lately = [event, ...this.lately].slice(0, MOST_LATELY)
    if (typeof event.order_id === 'string') this.lists.orderChanged(event.order_id)
    if (event.type === 'fence.changed') this.fenceVersion++
    if (event.type === 'region.changed') this.later.run('regions', 400, () => this.readRegions())
    if (['route', 'order', 'plan', 'courier'].includes(subject)) this.routes.changed()
    if (subject === 'alert') this.lists.alertsChanged()
    if (subject === 'courier') {
      if (event.deleted === true) {
        this.lists.forgetCourier(String(event.courier_id))
        this.rows.forget(String(event.courier_id))
      } else this.lists.couriersChanged()
    }
    const selectedId = this.courierId
    const isOfSelected = event.courier_id === undefined || event.courier_id === selectedId
    if (selectedId && isOfSelected && ['route', 'order', 'plan'].includes(subject))
      this.later.run('route', 400, () => this.routeVersion++)
  }
}
