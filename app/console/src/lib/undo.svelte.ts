/** The last thing that was done, as long as it can be taken back. */

const UNDO_MS = 10_000

interface Done {
  /** What was done, for a person. */
  text: string
  takeBack: () => unknown
  /** What has been held back until now; nothing where it was done at once. */
  doIt?: () => unknown
}

export class Undo {
  /** What can be taken back now. */
  done = $state.raw<Done | null>(null)
  /** Why the last one could not be done after all; stays until it is read. */
  problem = $state('')
  private timer: ReturnType<typeof setTimeout> | undefined

  /** Held back for ten seconds, and sent at once when the page is left: nobody is told of what was not meant. */
  later(text: string, doIt: () => unknown): void {
    this.offer({ text, takeBack: () => undefined, doIt })
  }

  /** Done already; `takeBack` does the opposite. */
  after(text: string, takeBack: () => unknown): void {
    this.offer({ text, takeBack })
  }

  async takeBack(): Promise<void> {
    const done = this.end()
    await this.attempt(done?.takeBack)
  }

  /** Not to be taken back any more. */
  async settle(): Promise<void> {
    const done = this.end()
    await this.attempt(done?.doIt)
  }

  /** Whoever comes next shall not find it; what was held back is sent while it is still known who meant it. */
  async forget(): Promise<void> {
    await this.settle()
    this.problem = ''
  }

  private offer(done: Done): void {
    void this.settle()
    this.done = done
    this.timer = setTimeout(() => void this.settle(), UNDO_MS)
  }

  private end(): Done | null {
    clearTimeout(this.timer)
    const done = this.done
    this.done = null
    return done
  }

  private async attempt(work: (() => unknown) | undefined): Promise<void> {
    try {
      await work?.()
    } catch (problem) {
      this.problem = problem instanceof Error ? problem.message : String(problem)
    }
  }
}
