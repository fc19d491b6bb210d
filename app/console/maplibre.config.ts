/**
 * MapLibre from its source, which its package carries: its two bundles, for the page and for the worker, hold what
 * both need twice, 90 kB of 360 as they come over the wire. Here the worker is one more entry of the same build.
 */

import { join } from 'node:path'
import { transformWithOxc, type Plugin } from 'vite'

const within = (path: string) => join(import.meta.dirname, 'node_modules/maplibre-gl', path)
const WORKER = '\0map-worker'
/** As MapLibre's own build has it: fields that a subclass declares again would else be emptied after its parent filled them. */
const COMPILER = { compilerOptions: { useDefineForClassFields: false, target: 'es2022' } }

/** `import url from 'map-worker'`: where the worker is. In development both are the package's bundles. */
export function maplibre(): Plugin {
  let isBuild = false
  return {
    name: 'maplibre-from-source',
    enforce: 'pre',
    configResolved: ({ command }) => void (isBuild = command === 'build'),
    resolveId(id) {
      if (id === 'map-worker') return WORKER
      return isBuild && id === 'maplibre-gl' ? within('src/index.ts') : null
    },
    load(id) {
      if (id !== WORKER) return null
      if (!isBuild) return `export { default } from 'maplibre-gl/dist/maplibre-gl-worker.mjs?worker&url'`
      // The server knows the worker by this name, and gives it the page's policy (app/routes/console.py).
      const file = this.emitFile({ type: 'chunk', id: within('src/source/worker.ts'), name: 'map-worker' })
      return `export default import.meta.ROLLUP_FILE_URL_${file}`
    },
    transform: {
      filter: { id: /node_modules\/maplibre-gl\/src\/.*\.ts$/ },
      handler: (code, id) => transformWithOxc(code, id, { target: 'es2022', tsconfig: COMPILER }),
    },
  }
}
