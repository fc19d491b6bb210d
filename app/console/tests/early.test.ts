import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Live, type LiveHandlers } from '../src/lib/live'

const PERSON = { id: 'a', name: 'Anna', region: 'porto', regions: ['porto', 'gaia'], must_change_password: false }

class Source {
  static readonly CLOSED = 2
  static opened: Source[] = []
  readyState = 1
  isClosed = false
  onopen = () => undefined
  onerror = () => undefined
  private readonly listeners = new Map<string, (event: { data: string; lastEventId: string }) => void>()
  constructor(readonly url: URL) {
    Source.opened.push(this)
  }
  addEventListener(name: string, listener: (event: { data: string; lastEventId: string }) => void) {
    this.listeners.set(name, listener)
  }
  close() {
    this.isClosed = true
  }
  say(name: string, data: object, lastEventId = '') {
    this.listeners.get(name)!({ data: JSON.stringify(data), lastEventId })
  }
}

let asked: [string, RequestInit][] = []
let answers: Record<string, () => Response> = {}

beforeEach(() => {
  vi.useFakeTimers()
  vi.resetModules()
  asked = []
  Source.opened = []
  vi.stubGlobal('EventSource', Source)
  vi.stubGlobal('history', { replaceState: vi.fn() })
  vi.stubGlobal('fetch', async (path: string, how: RequestInit) => {
    asked.push([path, how])
    const answer = answers[path]
    if (!answer) throw new TypeError('Failed to fetch')
    return answer()
  })
  answers = {
    '/ui/config.json': () => Response.json({ demo: false }),
    '/v1/me': () => Response.json({ code: 'unauthorized' }, { status: 401 }),
    '/v1/sign-in': () => Response.json(PERSON),
  }
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

async function at(address: string) {
  const { pathname, search, hash, href } = new URL(address, 'http://postrider')
  vi.stubGlobal('location', { pathname, search, hash, href })
  return (await import('../src/early')).early
}
const paths = () => asked.map(([path]) => path)
const streams = () => Source.opened.map(({ url }) => `${url.pathname}${url.search}`)

it('whom the address signs in is followed before the page is there, and the secret leaves the address', async () => {
  const early = await at('/?tab=orders#token=secret')
  await early.live
  expect(history.replaceState).toHaveBeenCalledWith(null, '', '/?tab=orders')
  expect(paths()).toEqual(['/ui/config.json', '/v1/me', '/v1/sign-in'])
  expect(asked[2]![1].body).toBe('{"token":"secret"}')
  expect(await early.known).toBeNull()
  expect(await early.entered).toEqual(PERSON)
  expect(streams()).toEqual(['/v1/live?region=porto'])
})

it('whoever is signed in stays so, whatever the address carries, and sees the region that it names', async () => {
  answers['/v1/me'] = () => Response.json(PERSON)
  const early = await at('/?region=gaia#code=abc')
  await early.live
  expect(paths()).toEqual(['/ui/config.json', '/v1/me'])
  expect([early.carried, await early.known]).toEqual([{ code: 'abc' }, PERSON])
  expect(streams()).toEqual(['/v1/live?region=gaia'])
})

it('a region that is not theirs is not asked for', async () => {
  answers['/v1/me'] = () => Response.json(PERSON)
  await (await at('/?region=lisbon')).live
  expect(streams()).toEqual(['/v1/live?region=porto'])
})

it('nothing is followed for nobody, nor for who has no password yet', async () => {
  expect(await (await at('/')).live).toBeNull()
  answers['/v1/me'] = () => Response.json({ ...PERSON, must_change_password: true })
  vi.resetModules()
  expect(await (await at('/')).live).toBeNull()
  expect(streams()).toEqual([])
})

it('a refusal is handed on with its answer, and a server that is away with an error', async () => {
  answers['/v1/sign-in'] = () => Response.json({ code: 'token-unknown' }, { status: 401 })
  const refused = await at('/#token=wrong')
  expect(((await refused.entered) as Response).status).toBe(401)
  expect(await refused.live).toBeNull()
  delete answers['/v1/sign-in']
  vi.resetModules()
  const away = await at('/#token=secret')
  await expect(away.entered).rejects.toThrow()
  await expect(away.live).rejects.toThrow()
})

const handlers = () => {
  const heard: unknown[] = []
  const hear =
    (name: string) =>
    (...what: unknown[]) =>
      void heard.push([name, ...what])
  const names = ['onSnapshot', 'onDelta', 'onEvent', 'onOrders', 'onConnection', 'onReset', 'onSignedOut'] as const
  return { heard, told: Object.fromEntries(names.map((name) => [name, hear(name)])) as unknown as LiveHandlers }
}
const frame = (n: number) => ({ at: '2026-05-04T12:00:00Z', positions: [{ courier_id: String(n) }] })

it('what a stream says before anybody follows it is told first, in its order', async () => {
  await at('/')
  const live = new Live('/v1/live?region=porto')
  const source = Source.opened[0]!
  source.say('snapshot', frame(1))
  source.say('order', { type: 'order.placed', order_id: 'o' })
  const { heard, told } = handlers()
  live.follow(told)
  source.say('delta', frame(2))
  const names = heard.map((one) => (one as string[])[0])
  expect(names).toEqual(['onConnection', 'onSnapshot', 'onEvent', 'onConnection', 'onDelta'])
  live.close()
  expect(source.isClosed).toBe(true)
})

it('a stream that nobody follows is given up, and begins with a snapshot when somebody does', async () => {
  await at('/')
  const live = new Live('/v1/live?region=porto')
  for (let n = 0; n < 600; n++) Source.opened[0]!.say('order', { type: 'order.placed', order_id: String(n) }, `id-${n}`)
  expect(Source.opened[0]!.isClosed).toBe(true)
  const { heard, told } = handlers()
  live.follow(told)
  expect(heard).toEqual([])
  expect(streams()).toEqual(['/v1/live?region=porto', '/v1/live?region=porto'])
  Source.opened[1]!.say('snapshot', frame(1))
  expect(heard.map((one) => (one as string[])[0])).toEqual(['onConnection', 'onSnapshot'])
  live.close()
})

it('an address that was cut in the middle of a letter signs nobody in, and the page begins', async () => {
  const early = await at('/#token=half%E')
  expect(early.carried).toEqual({ token: 'half%E' })
})
