import { svelte } from '@sveltejs/vite-plugin-svelte'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync } from 'node:zlib'
import { defineConfig, type Plugin } from 'vite'
import { heaps } from './chunks.config.ts'
import { maplibre } from './maplibre.config.ts'

// The server is the same origin in production; in development `npm run dev` passes its paths on to a running one.
const server = process.env.POSTRIDER_URL ?? 'http://127.0.0.1:8080'

/**
 * Compressed once, as tightly as can be, beside each file: the server has no time for that (app/web/static.py).
 * It takes longer than all the rest; who only wants to know whether it can be built says `--mode uncompressed`.
 */
const precompressed: Plugin = {
  name: 'precompressed',
  apply: (_, { command, mode }) => command === 'build' && mode !== 'uncompressed',
  writeBundle({ dir }, bundle) {
    for (const file of Object.values(bundle)) {
      const body = Buffer.from(file.type === 'chunk' ? file.code : file.source)
      if (body.length > 1000 && /\.(js|css|html|json|svg)$/.test(file.fileName)) writeFileSync(join(dir!, `${file.fileName}.br`), brotliCompressSync(body))
    }
  },
}

const PAGES = ['index.html', 'courier.html', 'place.html', 'recipient.html', 'schema.html']

export default defineConfig({
  plugins: [svelte(), maplibre(), precompressed],
  build: {
    outDir: 'dist',
    assetsInlineLimit: 0, // the content security policy allows no data: scripts or fonts
    chunkSizeWarningLimit: 2000, // the API's description, read by few
    license: { fileName: 'licenses.md' },
    target: 'es2022',
    modulePreload: { polyfill: false }, // browsers that lack it find the files a little later
    rolldownOptions: {
      input: PAGES,
      output: { codeSplitting: { includeDependenciesRecursively: false, groups: heaps(PAGES, 'src/early.ts') } },
      checks: { pluginTimings: false },
    },
  },
  worker: { format: 'es' },
  server: { proxy: { '/v1': server, '/ui': server } },
})
