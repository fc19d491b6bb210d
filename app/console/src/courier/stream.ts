/** Follows the courier's route: what is to be done, and offers as they come; finds back by itself. */

import type { Offer, Route } from './shapes'

interface Handlers {
  onRoute(route: Route): void
  onOffer(offer: Offer): void
  onOfferClosed(id: string): void
  onConnection(isOpen: boolean): void
}

const AGAIN_MS = 3000
/** The server says something every 15 s. */
const SILENCE_MS = 40_000

export class RouteStream {
  private source: EventSource | null = null
  private again: ReturnType<typeof setTimeout> | undefined
  private silence: ReturnType<typeof setTimeout> | undefined

  constructor(
    private readonly courierId: string,
    private readonly handlers: Handlers,
  ) {
    this.open()
  }

  close(): void {
    clearTimeout(this.again)
    clearTimeout(this.silence)
    this.source?.close()
  }

  /** At once, where a network is back that a broken connection has not noticed. */
  open(): void {
    this.close()
    const source = (this.source = new EventSource(`/v1/couriers/${this.courierId}/route/stream`))
    const listen = (name: string, take: (data: any) => void) =>
      source.addEventListener(name, (event) => {
        this.heard()
        take(JSON.parse((event as MessageEvent<string>).data))
      })
    listen('route', (route: Route) => this.handlers.onRoute(route))
    listen('offer', (offer: Offer) => this.handlers.onOffer(offer))
    listen('offer_closed', ({ id }: { id: string }) => this.handlers.onOfferClosed(id))
    source.onopen = () => {
      this.heard()
      this.handlers.onConnection(true)
    }
    source.onerror = () => this.lost()
    this.heard()
  }

  private heard(): void {
    clearTimeout(this.silence)
    this.silence = setTimeout(() => this.lost(), SILENCE_MS)
  }

  private lost(): void {
    this.close()
    this.handlers.onConnection(false)
    this.again = setTimeout(() => this.open(), AGAIN_MS * (0.7 + 0.6 * Math.random()))
  }
}
