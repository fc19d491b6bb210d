/** A view that is loaded when it is first looked at, or when there is time for it: the list need not wait for it. */

import type { Component } from 'svelte'

export class Lazy<C extends Component<any, any, any>> {
  /** Null until it is loaded. */
  view = $state.raw<C | null>(null)
  /** The server is away, or has another version: whoever looks again asks again. */
  isMissing = $state(false)
  private loading: Promise<void> | null = null

  constructor(private readonly bring: () => Promise<{ default: C }>) {}

  /** Ends when it is there, or is known not to come. */
  load(): Promise<void> {
    return (this.loading ??= this.bring().then(
      ({ default: view }) => {
        this.view = view
        this.isMissing = false
      },
      () => {
        this.isMissing = true
        this.loading = null
      },
    ))
  }
}
