/** Markers, drawn on a canvas: every state has a colour and a shape of its own, so that nobody depends on colour. */

import { STATES, type State } from '../lib/filter'

export const COLOURS: Record<State, string> = {
  stuck: '#a21caf',
  late: '#dc2626',
  busy: '#2563eb',
  online: '#0d9488',
  stale: '#c2780a',
  offline: '#64748b',
}

const SIZE = 56 // canvas pixels at a ratio of 2: 28 on the screen
const C = SIZE / 2

function polygon(context: CanvasRenderingContext2D, corners: number, radius: number, turn: number): void {
  context.beginPath()
  for (let i = 0; i < corners; i++) {
    const angle = turn + (i * 2 * Math.PI) / corners
    context.lineTo(C + radius * Math.cos(angle), C + radius * Math.sin(angle))
  }
  context.closePath()
}

const OUTLINES: Record<State, (context: CanvasRenderingContext2D) => void> = {
  online: (c) => {
    c.beginPath()
    c.arc(C, C, 14, 0, 2 * Math.PI)
  },
  busy: (c) => {
    c.beginPath()
    c.roundRect(C - 13, C - 13, 26, 26, 6)
  },
  late: (c) => {
    c.translate(0, 2.5)
    polygon(c, 3, 18.5, -Math.PI / 2)
  },
  stuck: (c) => polygon(c, 6, 16.5, 0),
  stale: (c) => polygon(c, 4, 17.5, -Math.PI / 2),
  offline: (c) => {
    c.beginPath()
    c.arc(C, C, 12, 0, 2 * Math.PI)
  },
}

/** What stands inside the outline: an exclamation mark for what needs a person, a cross for who is away. */
const INSIDE: Partial<Record<State, (context: CanvasRenderingContext2D) => void>> = {
  late: (c) => mark(c, -7, 3, 7.5),
  stuck: (c) => mark(c, -8, 3, 8),
  offline: (c) => {
    c.beginPath()
    for (const [dx, dy] of [
      [5, 5],
      [5, -5],
    ] as const) {
      c.moveTo(C - dx, C - dy)
      c.lineTo(C + dx, C + dy)
    }
    c.stroke()
  },
}

function mark(c: CanvasRenderingContext2D, top: number, bottom: number, dot: number): void {
  c.beginPath()
  c.moveTo(C, C + top)
  c.lineTo(C, C + bottom)
  c.moveTo(C, C + dot)
  c.lineTo(C, C + dot + 0.01)
  c.stroke()
}

function canvas(draw: (context: CanvasRenderingContext2D) => void): ImageData {
  const element = document.createElement('canvas')
  element.width = element.height = SIZE
  const context = element.getContext('2d')!
  context.lineJoin = context.lineCap = 'round'
  draw(context)
  return context.getImageData(0, 0, SIZE, SIZE)
}

function marker(state: State): ImageData {
  return canvas((c) => {
    c.save()
    OUTLINES[state](c)
    c.shadowColor = 'rgb(15 23 42 / 0.45)'
    c.shadowBlur = 5
    c.shadowOffsetY = 1.5
    c.lineWidth = 6
    c.strokeStyle = '#fff'
    c.stroke()
    c.shadowColor = 'transparent'
    c.fillStyle = state === 'offline' ? '#f1f5f9' : COLOURS[state]
    c.fill()
    if (state === 'offline') {
      c.lineWidth = 3
      c.strokeStyle = COLOURS.offline
      c.stroke()
    }
    c.lineWidth = 3.6
    c.strokeStyle = state === 'offline' ? COLOURS.offline : '#fff'
    INSIDE[state]?.(c)
    c.restore()
  })
}

/** A beak beyond the outline that points north; the map turns it. */
function beak(state: State): ImageData {
  return canvas((c) => {
    c.beginPath()
    c.moveTo(C, 3)
    c.lineTo(C + 11, 19)
    c.lineTo(C - 11, 19)
    c.closePath()
    c.lineWidth = 5
    c.strokeStyle = '#fff'
    c.stroke()
    c.fillStyle = COLOURS[state]
    c.fill()
  })
}

function stop(kind: 'pickup' | 'dropoff', fill: string): ImageData {
  return canvas((c) => {
    c.beginPath()
    if (kind === 'pickup') c.roundRect(C - 18, C - 18, 36, 36, 9)
    else c.arc(C, C, 19, 0, 2 * Math.PI)
    c.fillStyle = fill
    c.fill()
    c.lineWidth = 4
    c.strokeStyle = '#fff'
    c.stroke()
  })
}

export const ORDER_COLOURS = { unassigned: '#b45309', assigned: '#1d4ed8', onBoard: '#0f766e', late: '#b91c1c' }
export type OrderTone = keyof typeof ORDER_COLOURS

/** Hollow while nobody has it; a mark for what is late, a dot for what is on board: nobody depends on colour. */
function order(kind: 'pickup' | 'dropoff', tone: OrderTone): ImageData {
  return canvas((c) => {
    c.beginPath()
    if (kind === 'pickup') c.roundRect(C - 14, C - 14, 28, 28, 6)
    else c.arc(C, C, 15, 0, 2 * Math.PI)
    c.lineWidth = 9
    c.strokeStyle = '#fff'
    c.stroke()
    c.fillStyle = tone === 'unassigned' ? '#fff' : ORDER_COLOURS[tone]
    c.fill()
    c.lineWidth = 5
    c.strokeStyle = ORDER_COLOURS[tone]
    c.stroke()
    c.lineWidth = tone === 'onBoard' ? 9 : 4.5
    c.strokeStyle = '#fff'
    if (tone === 'late') mark(c, -8, 2, 8)
    if (tone === 'onBoard') mark(c, 0, 0.01, 0)
  })
}

export function images(): Map<string, ImageData> {
  const made = new Map<string, ImageData>()
  for (const state of STATES) {
    made.set(`courier-${state}`, marker(state))
    made.set(`beak-${state}`, beak(state))
  }
  for (const tone of Object.keys(ORDER_COLOURS) as OrderTone[])
    for (const kind of ['pickup', 'dropoff'] as const) made.set(`order-${kind}-${tone}`, order(kind, tone))
  made.set('stop-pickup', stop('pickup', '#0f172a'))
  made.set('stop-dropoff', stop('dropoff', '#1d4ed8'))
  return made
}

/** Around the chosen courier. */
function ring(): ImageData {
  return canvas((c) => {
    c.beginPath()
    c.arc(C, C, C - 4, 0, 2 * Math.PI)
    c.fillStyle = 'rgb(14 165 233 / 0.22)'
    c.fill()
    c.lineWidth = 3
    c.strokeStyle = '#0284c7'
    c.stroke()
  })
}

/** How wide a marker is on the screen. */
export const ICON_PX = SIZE / 2

const NUMBERED = [...STATES.flatMap((state) => [`courier-${state}`, `beak-${state}`]), 'ring']
export const iconNumber = (name: string): number => NUMBERED.indexOf(name)

let drawnAtlas: { canvas: HTMLCanvasElement; n: number } | undefined

/** The markers side by side, by their numbers. */
export function atlas(): { canvas: HTMLCanvasElement; n: number } {
  if (!drawnAtlas) {
    const element = document.createElement('canvas')
    ;[element.width, element.height] = [SIZE * NUMBERED.length, SIZE]
    const context = element.getContext('2d')!
    const known = images().set('ring', ring())
    for (const [number, name] of NUMBERED.entries()) context.putImageData(known.get(name)!, number * SIZE, 0)
    drawnAtlas = { canvas: element, n: NUMBERED.length }
  }
  return drawnAtlas
}

/** The same shapes for the list and the legend, as SVG paths in a box of 24. */
export const SHAPES: Record<State, string> = {
  online: 'M12 5a7 7 0 1 0 0 14a7 7 0 1 0 0-14Z',
  busy: 'M8 5.5h8a2.5 2.5 0 0 1 2.5 2.5v8a2.5 2.5 0 0 1-2.5 2.5H8A2.5 2.5 0 0 1 5.5 16V8A2.5 2.5 0 0 1 8 5.5Z',
  late: 'M12 4.2 20.2 18.6H3.8Z',
  stuck: 'M20 12 16 18.9H8L4 12 8 5.1h8Z',
  stale: 'M12 3.5 20.5 12 12 20.5 3.5 12Z',
  offline: 'M12 5.5a6.5 6.5 0 1 0 0 13a6.5 6.5 0 1 0 0-13Z',
}
