import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vite'

// The server is the same origin in production; in development `npm run dev` passes its paths on to a running one.
const server = process.env.POSTRIDER_URL ?? 'http://127.0.0.1:8080'

export default defineConfig({
  plugins: [svelte()],
  build: {
    outDir: 'dist',
    assetsInlineLimit: 0, // the content security policy allows no data: scripts or fonts
    chunkSizeWarningLimit: 1500,
    license: { fileName: 'licenses.md' },
    target: 'es2022',
    rolldownOptions: {
      input: ['index.html', 'courier.html', 'recipient.html', 'schema.html'],
      checks: { pluginTimings: false },
    },
  },
  // The server knows the map's worker by this name, and gives it the page's policy (app/routes/console.py).
  worker: { format: 'es', rolldownOptions: { output: { entryFileNames: 'assets/map-worker-[hash].js' } } },
  server: { proxy: { '/v1': server, '/ui': server } },
})
