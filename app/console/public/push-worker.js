/** Shows what the server pushes, where no page is open; a click opens the page that it is about. */
self.addEventListener('install', () => self.skipWaiting())

self.addEventListener('push', (event) => {
  let said = {}
  try {
    said = event.data.json()
  } catch {
    // shown all the same: browsers let nothing be pushed without showing something
  }
  event.waitUntil(
    self.registration.showNotification(said.title || 'Postrider', {
      body: said.body || '',
      icon: '/courier-192.png',
      tag: said.open || '/',
      renotify: true,
      data: { open: said.open || '/' },
    }),
  )
})

self.addEventListener('notificationclick', (event) => {
  event.notification.close()
  event.waitUntil(show(event.notification.data.open))
})

/** The window that has it, or a new one. */
async function show(path) {
  const windows = await self.clients.matchAll({ type: 'window', includeUncontrolled: true })
  const open = windows.find((one) => new URL(one.url).pathname === path)
  await (open ? open.focus() : self.clients.openWindow(path))
}
