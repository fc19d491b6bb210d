/**
 * Keeps the courier's page at hand where there is no network: the page, what it is made of, and its settings.
 * What couriers see and do is not here: the page keeps that itself (src/courier/kept.ts).
 */
const CACHE = 'courier-page-1'
const PAGE = '/courier'
const PATIENCE_MS = 4000

self.addEventListener('install', (event) => {
  event.waitUntil(renew().then(() => self.skipWaiting()))
})
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()))

self.addEventListener('fetch', (event) => {
  const { request } = event
  const url = new URL(request.url)
  if (request.method !== 'GET' || url.origin !== self.location.origin) return
  if (request.mode === 'navigate') {
    if (url.pathname === PAGE) event.respondWith(page())
  } else if (url.pathname.startsWith('/assets/')) event.respondWith(asset(request))
  else if (url.pathname === '/ui/config.json') event.respondWith(freshOr(request))
})

/** The page as the server has it now, or else as it was. */
async function page() {
  const cache = await caches.open(CACHE)
  const kept = await cache.match(PAGE)
  try {
    const answer = await fetch(PAGE, { signal: AbortSignal.timeout(PATIENCE_MS) })
    if (!answer.ok) return kept ?? answer
    const text = await answer.clone().text()
    if (kept && text !== (await kept.clone().text())) await renew()
    return answer
  } catch (error) {
    if (kept) return kept
    throw error
  }
}

/** Everything that the page names, again; what an older page needed goes. */
async function renew() {
  const answer = await fetch(PAGE, { cache: 'no-cache' })
  if (!answer.ok) throw new Error(`the page answers ${answer.status}`)
  const text = await answer.clone().text()
  const named = [...text.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map((found) => found[1])
  const cache = await caches.open(CACHE)
  const before = await cache.keys()
  await cache.addAll([...new Set(named), '/ui/config.json'])
  await cache.put(PAGE, answer)
  const isNeeded = new Set([...named, PAGE, '/ui/config.json'])
  for (const request of before) if (!isNeeded.has(new URL(request.url).pathname)) await cache.delete(request)
}

/** What has a hash in its name never changes. */
async function asset(request) {
  const cache = await caches.open(CACHE)
  const kept = await cache.match(request)
  if (kept) return kept
  const answer = await fetch(request)
  if (answer.ok) await cache.put(request, answer.clone())
  return answer
}

async function freshOr(request) {
  const cache = await caches.open(CACHE)
  try {
    const answer = await fetch(request, { signal: AbortSignal.timeout(PATIENCE_MS) })
    if (answer.ok) await cache.put(request, answer.clone())
    return answer
  } catch (error) {
    const kept = await cache.match(request)
    if (kept) return kept
    throw error
  }
}
