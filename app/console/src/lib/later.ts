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
