/** How a person wants to hear of alerts: by a sound, by a notification of the system; by neither unless they ask for it. */

const SOUND = 'alert-sound'
const DESKTOP = 'alert-desktop'
const read = (key: string) => localStorage.getItem(key) === '1'

export class Bell {
  sounds = $state(read(SOUND))
  notifies = $state(read(DESKTOP) && 'Notification' in globalThis && Notification.permission === 'granted')
  /** The browser was asked, and said no. */
  isRefused = $state(false)
  private audio: AudioContext | null = null

  readonly canNotify = 'Notification' in globalThis

  /** By a click, for browsers let no page sound unasked. */
  toggleSound(): void {
    this.sounds = !this.sounds
    localStorage.setItem(SOUND, this.sounds ? '1' : '0')
    if (this.sounds) this.sound()
  }

  async toggleDesktop(): Promise<void> {
    const wanted = !this.notifies
    this.notifies = wanted && (await Notification.requestPermission()) === 'granted'
    this.isRefused = wanted && !this.notifies
    localStorage.setItem(DESKTOP, this.notifies ? '1' : '0')
  }

  /** `tag`: a later one of the same takes its place. */
  ring(title: string, body: string, tag: string): void {
    if (this.sounds) this.sound()
    if (!this.notifies) return
    const shown = new Notification(title, { body, tag })
    shown.onclick = () => {
      window.focus()
      shown.close()
    }
  }

  /** Two tones, the second lower. */
  private sound(): void {
    this.audio ??= new AudioContext()
    const { audio } = this
    for (const [i, hertz] of [880, 660].entries()) {
      const [tone, volume] = [audio.createOscillator(), audio.createGain()]
      const from = audio.currentTime + i * 0.18
      tone.frequency.value = hertz
      volume.gain.setValueAtTime(0.15, from)
      volume.gain.exponentialRampToValueAtTime(0.001, from + 0.3)
      tone.connect(volume).connect(audio.destination)
      tone.start(from)
      tone.stop(from + 0.3)
    }
  }
}
