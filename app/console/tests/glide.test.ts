import { describe, expect, it } from 'vitest'
import { between, Glide } from '../src/map/glide'

const at = (x: number) => new Map([['anna', { x, y: 0.4 }]])

/** Where Anna is shown at that instant. */
const shown = (glide: Glide, now: number) => between(glide.way('anna')!, glide.share(now)).x

describe('a marker that moves', () => {
  const begun = () => {
    const glide = new Glide()
    glide.to(at(0), true, 0)
    glide.to(at(0.01), true, 0)
    return glide
  }
  const frames = (from: number, to: number) => Array.from({ length: (to - from) / 60 }, (_, i) => from + i * 60)

  it('glides to its new place and stays there', () => {
    const glide = begun()
    const xs = frames(0, 1800).map((now) => shown(glide, now))
    expect(xs).toEqual([...xs].sort((a, b) => a - b))
    expect(new Set(xs).size).toBeGreaterThan(10)
    expect(xs.at(-1)).toBe(0.01)
  })

  it('goes on from where it is when it moves again on the way', () => {
    const glide = begun()
    const midway = frames(0, 420).map((now) => shown(glide, now)).at(-1)!
    glide.to(at(0), true, 360)
    const xs = frames(360, 1800).map((now) => shown(glide, now))
    expect(Math.max(...xs)).toBeLessThanOrEqual(midway)
    expect(xs.at(-1)).toBe(0)
  })

  it('jumps where gliding is not wanted, and around the world', () => {
    const glide = begun()
    glide.to(at(0.02), false, 10)
    expect(shown(glide, 11)).toBe(0.02)
    glide.to(at(0.99), true, 20)
    expect(shown(glide, 21)).toBe(0.99)
  })

  it('jumps for a while where frames come too late', () => {
    const glide = begun()
    expect([200, 500, 800].map((now) => shown(glide, now) === 0.01)).toEqual([false, false, false])
    glide.to(at(0.02), true, 1000)
    for (const now of [1300, 1600, 1900]) shown(glide, now)
    expect(shown(glide, 1901)).toBe(0.02)
    glide.to(at(0.03), true, 2000)
    expect(shown(glide, 2001)).toBe(0.03)
    glide.to(at(0.04), true, 13_000)
    expect(shown(glide, 13_001)).toBeLessThan(0.04)
  })
})
