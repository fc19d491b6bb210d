/** A sound for an offer. Browsers let a page sound only once it was touched. */

let context: AudioContext | null = null

export function listenForTouch(): void {
  addEventListener('pointerdown', () => void (context ??= new AudioContext()), { once: true })
}

export function ring(): void {
  navigator.vibrate?.([200, 100, 200])
  if (!context) return
  for (const [i, hertz] of [660, 880, 660, 880].entries()) {
    const [tone, loudness] = [context.createOscillator(), context.createGain()]
    const from = context.currentTime + i * 0.22
    tone.frequency.value = hertz
    loudness.gain.setValueAtTime(0.25, from)
    loudness.gain.exponentialRampToValueAtTime(0.001, from + 0.2)
    tone.connect(loudness).connect(context.destination)
    tone.start(from)
    tone.stop(from + 0.2)
  }
}
