import { afterEach, expect, test, vi } from 'vitest'
import * as api from '../src/lib/api'

afterEach(() => vi.unstubAllGlobals())

test('an answer that breaks off in its middle is told as a server that cannot be reached', async () => {
  const broken = { ok: true, text: () => Promise.reject(new DOMException('signal timed out', 'TimeoutError')) }
  vi.stubGlobal('fetch', () => Promise.resolve(broken))
  for (const asked of [api.get('/v1/orders'), api.send('POST', '/v1/orders', {}), api.upload('/v1/orders', 'text/csv', '')]) {
    await expect(asked).rejects.toMatchObject({ code: 'offline', message: 'The server cannot be reached.' })
  }
})
