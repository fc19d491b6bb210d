/** Where the map's worker is (maplibre.config.ts). */
declare module 'map-worker' {
  const url: string
  export default url
}
