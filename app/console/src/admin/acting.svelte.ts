/** Something is asked of the server: whether it is under way, what came of it, what was wrong and where. */

import * as api from '../lib/api'
import { textOf } from '../lib/conflict'
import { admin as said } from '../words/admin'

export class Acting {
  isBusy = $state(false)
  told = $state('')
  error = $state('')
  faults = $state.raw<readonly api.Fault[]>([])

  /** Null where it failed; `told` is what is said where it did not. */
  async run<T>(act: () => Promise<T>, told = ''): Promise<T | null> {
    this.isBusy = true
    this.told = this.error = ''
    this.faults = []
    try {
      const done = await act()
      this.told = told
      return done
    } catch (problem) {
      this.faults = problem instanceof api.Problem ? problem.errors : []
      this.error = problem instanceof api.Problem && problem.code === 'version-conflict' ? said.changedMeanwhile : textOf(problem)
      return null
    } finally {
      this.isBusy = false
    }
  }

  faultAt(pointer: string): string {
    return this.faults.filter((fault) => fault.pointer === pointer || fault.pointer.startsWith(`${pointer}/`)).map((fault) => fault.detail).join('; ')
  }
}
