/**
 * Couriers as the graphics card draws them: who moves glides to the new place there, by one number a frame.
 *
 * Sources go through a worker, which takes tens of milliseconds for each step; they get the places where couriers are,
 * once. Below MARKERS_FROM_ZOOM couriers stand together in clusters, which the sources know.
 */

import { type CustomLayerInterface, type Map as MapLibre, MercatorCoordinate } from 'maplibre-gl'
import { type Row, STATES } from '../lib/filter'
import { courseOf } from './features'
import { Glide, type Point } from './glide'
import { atlas, ICON_PX, iconNumber } from './icons'

export const MARKERS_FROM_ZOOM = 12
/** Fifteen frames a second look like a movement, and leave the processor to others. */
const FRAME_MS = 60
const FLOATS = 7
const BEAK = 1.16
const RING_PX = 48

const VERTEX = `#version 300 es
in vec4 way;
in vec3 look;
uniform vec2 origin, half_px;
uniform float world_px, share, ratio;
out vec2 icon_turn;
void main() {
  vec2 at = mix(way.xy, way.zw, share) * world_px + origin;
  gl_Position = vec4(at / half_px * vec2(1.0, -1.0), 0.0, 1.0);
  gl_PointSize = look.z * ratio;
  icon_turn = look.xy;
}`
const FRAGMENT = `#version 300 es
precision highp float;
in vec2 icon_turn;
uniform sampler2D icons;
uniform float n_icons;
out vec4 colour;
void main() {
  vec2 at = gl_PointCoord - 0.5;
  float s = sin(icon_turn.y), c = cos(icon_turn.y);
  at = vec2(c * at.x + s * at.y, c * at.y - s * at.x) + 0.5;
  if (any(lessThan(at, vec2(0.0))) || any(greaterThan(at, vec2(1.0)))) discard;
  colour = texture(icons, vec2((icon_turn.x + at.x) / n_icons, at.y));
}`

interface Made {
  program: WebGLProgram
  buffer: WebGLBuffer
  texture: WebGLTexture
  uniform: (name: string) => WebGLUniformLocation | null
}

export class Markers implements CustomLayerInterface {
  readonly id = 'markers'
  readonly type = 'custom' as const
  private map: MapLibre | null = null
  private made: Made | null = null
  private vertices = new Float32Array()
  private isFresh = false
  /** Places are given to the card from here on: it reckons in numbers of seven digits. */
  private anchor = { x: 0, y: 0 }
  private readonly glide = new Glide()
  private timer: ReturnType<typeof setTimeout> | undefined

  /** Who is where; those who moved glide there from where they are drawn now. */
  set(rows: readonly Row[], selectedId: string | null, glides: boolean): void {
    const places = new Map<string, Point>()
    for (const { id, position } of rows) if (position) places.set(id, mercator(position))
    this.glide.to(places, glides, performance.now())
    this.fill(rows, selectedId)
    this.map?.triggerRepaint()
  }

  onAdd(map: MapLibre): void {
    this.map = map
  }

  onRemove(_: MapLibre, gl: WebGL2RenderingContext): void {
    clearTimeout(this.timer)
    if (this.made) {
      gl.deleteProgram(this.made.program)
      gl.deleteBuffer(this.made.buffer)
      gl.deleteTexture(this.made.texture)
    }
    this.map = this.made = null
    this.isFresh = true
  }

  render(gl: WebGL2RenderingContext): void {
    const map = this.map
    if (!map || map.getZoom() < MARKERS_FROM_ZOOM || !this.vertices.length) return
    const made = (this.made ??= make(gl))
    const share = this.glide.share(performance.now())
    gl.useProgram(made.program)
    gl.bindBuffer(gl.ARRAY_BUFFER, made.buffer)
    if (this.isFresh) gl.bufferData(gl.ARRAY_BUFFER, this.vertices, gl.DYNAMIC_DRAW)
    this.isFresh = false
    for (const [name, size, from] of [
      ['way', 4, 0],
      ['look', 3, 4],
    ] as const) {
      const at = gl.getAttribLocation(made.program, name)
      gl.enableVertexAttribArray(at)
      gl.vertexAttribPointer(at, size, gl.FLOAT, false, 4 * FLOATS, 4 * from)
    }
    gl.activeTexture(gl.TEXTURE0)
    gl.bindTexture(gl.TEXTURE_2D, made.texture)
    const centre = MercatorCoordinate.fromLngLat(map.getCenter())
    const worldPx = 512 * 2 ** map.getZoom()
    const east = this.anchor.x - centre.x
    const { clientWidth, clientHeight } = map.getCanvas()
    gl.uniform1i(made.uniform('icons'), 0)
    gl.uniform1f(made.uniform('n_icons'), atlas().n)
    // The nearest of the worlds that lie side by side.
    gl.uniform2f(made.uniform('origin'), (east - Math.round(east)) * worldPx, (this.anchor.y - centre.y) * worldPx)
    gl.uniform2f(made.uniform('half_px'), clientWidth / 2, clientHeight / 2)
    gl.uniform1f(made.uniform('world_px'), worldPx)
    gl.uniform1f(made.uniform('share'), share)
    gl.uniform1f(made.uniform('ratio'), map.getPixelRatio())
    gl.drawArrays(gl.POINTS, 0, this.vertices.length / FLOATS)
    if (share < 1) this.timer ??= setTimeout(() => this.again(), FRAME_MS)
  }

  private again(): void {
    this.timer = undefined
    this.map?.triggerRepaint()
  }

  /** From below to above: the ring around the chosen one, beaks, markers, the urgent last. */
  private fill(rows: readonly Row[], selectedId: string | null): void {
    const heaps = new Map(STATES.map((state): [string, Row[]] => [state, []]))
    for (const row of rows) if (row.position) heaps.get(row.state)!.push(row)
    const drawn = [...heaps.values()].reverse().flat()
    const values: number[] = []
    const first = drawn[0] && this.glide.way(drawn[0].id)
    this.anchor = first ? first.to : { x: 0, y: 0 }
    const put = (row: Row, icon: string, turn: number, px: number) => {
      const { from, to } = this.glide.way(row.id)!
      const { x, y } = this.anchor
      values.push(from.x - x, from.y - y, to.x - x, to.y - y, iconNumber(icon), turn, px)
    }
    for (const row of drawn) if (row.id === selectedId) put(row, 'ring', 0, RING_PX)
    for (const row of drawn) {
      const course = courseOf(row)
      if (course >= 0) put(row, `beak-${row.state}`, (course * Math.PI) / 180, BEAK * ICON_PX)
    }
    for (const row of drawn) put(row, `courier-${row.state}`, 0, ICON_PX)
    this.vertices = new Float32Array(values)
    this.isFresh = true
  }
}

const mercator = ({ lat, lon }: { lat: number; lon: number }): Point => {
  const { x, y } = MercatorCoordinate.fromLngLat([lon, lat])
  return { x, y }
}

function make(gl: WebGL2RenderingContext): Made {
  const program = gl.createProgram()
  for (const [kind, source] of [
    [gl.VERTEX_SHADER, VERTEX],
    [gl.FRAGMENT_SHADER, FRAGMENT],
  ] as const) {
    const shader = gl.createShader(kind)!
    gl.shaderSource(shader, source)
    gl.compileShader(shader)
    gl.attachShader(program, shader)
  }
  gl.linkProgram(program)
  const texture = gl.createTexture()
  gl.bindTexture(gl.TEXTURE_2D, texture)
  gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, true)
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, atlas().canvas)
  gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, false)
  for (const [name, value] of [
    [gl.TEXTURE_MIN_FILTER, gl.LINEAR],
    [gl.TEXTURE_MAG_FILTER, gl.LINEAR],
    [gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE],
    [gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE],
  ] as const)
    gl.texParameteri(gl.TEXTURE_2D, name, value)
  const places = new Map<string, WebGLUniformLocation | null>()
  const uniform = (name: string) => {
    if (!places.has(name)) places.set(name, gl.getUniformLocation(program, name))
    return places.get(name)!
  }
  return { program, buffer: gl.createBuffer(), texture, uniform }
}
