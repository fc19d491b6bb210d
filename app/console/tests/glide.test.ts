import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Point } from '../src/map/features'
import { between, Glide } from '../src/map/glide'

const at = (lon: number) => ({ lat: 41, lon })

describe('a marker that moves', () => {
  let drawn: Point[]
  let glide: Glide

  beforeEach(() => {
    vi.useFakeTimers()
    vi.stubGlobal('requestAnimationFrame', (step: (at: number) => void) => setTimeout(() => step(performance.now()), 16))
    vi.stubGlobal('cancelAnimationFrame', clearTimeout)
    drawn = []
    glide = new Glide((places) => drawn.push(places.get('anna')!))
    glide.to(new Map([['anna', at(0)]]), true)
  })
  afterEach(() => {
    vi.useRealTimers()
    vi.unstubAllGlobals()
  })

  it('glides to its new place and stays there', () => {
    glide.to(new Map([['anna', at(0.01)]]), true)
    vi.advanceTimersByTime(2000)
    const lons = drawn.map((point) => point.lon)
    expect(lons).toEqual([...lons].sort((a, b) => a - b))
    expect(lons.length).toBeGreaterThan(10)
    expect(drawn.at(-1)).toEqual(at(0.01))
  })

  it('goes on from where it is when it moves again on the way', () => {
    glide.to(new Map([['anna', at(0.01)]]), true)
    vi.advanceTimersByTime(400)
    const midway = drawn.at(-1)!.lon
    drawn.length = 0
    glide.to(new Map([['anna', at(0)]]), true)
    vi.advanceTimersByTime(2000)
    expect(Math.max(...drawn.map((point) => point.lon))).toBeLessThanOrEqual(midway)
    expect(drawn.at(-1)).toEqual(at(0))
  })

  it('jumps where gliding is not wanted', () => {
    glide.to(new Map([['anna', at(0.01)]]), false)
    expect(drawn).toEqual([at(0), at(0.01)])
  })
})

it('does not glide around the world', () => {
  expect(between(at(179.99), at(-179.99), 0.5)).toEqual(at(-179.99))
  expect(between(at(1), at(1.5), 0.5)).toEqual(at(1.25))
})
