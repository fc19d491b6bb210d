/** Runs work once for many calls within a pause: events come in bursts, and one reading answers them all. */
export class Later {
  private readonly waiting = new Map<string, ReturnType<typeof setTimeout>>()

  run(name: string, pauseMs: number, work: () => unknown): void {
    if (this.waiting.has(name)) return
    this.waiting.set(
      name,
      setTimeout(() => {
        this.waiting.delete(name)
        void Promise.resolve(work()).catch(() => undefined)
      }, pauseMs),
    )
  }
}

/** One reading of a kind under way: who asks meanwhile gets the one after it, which all of them share. */
export class Single {
  private now: Promise<void> | null = null
  private next: Promise<void> | null = null

  /** Ends once a reading has ended that began after this call. `work` tells by itself what goes wrong. */
  run(work: () => Promise<void>): Promise<void> {
    if (this.next) return this.next
    if (!this.now) return this.begin(work)
    return (this.next = this.now.then(() => {
      this.next = null
      return this.begin(work)
    }))
  }

  get isUnderWay(): boolean {
    return this.now !== null
  }

  private begin(work: () => Promise<void>): Promise<void> {
    const reading = work()
      .catch(() => undefined)
      .then(() => {
        if (this.now === reading) this.now = null
      })
    this.now = reading
    return reading
  }
}
