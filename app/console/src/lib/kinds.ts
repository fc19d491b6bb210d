/** What each kind of alert says to people; a kind that has no words here does not compile. */
import type { AlertKind } from './types'

interface Words {
  /** In a list: short. */
  title: string
  /** What it means for the day, in one sentence. */
  means: string
}

export const ALERTS: Record<AlertKind, Words> = {
  stuck: { title: 'Stuck', means: 'Has a way to go and has not moved for a while.' },
  silent: { title: 'Silent', means: 'The phone has not been heard of for a while.' },
  frozen: { title: 'Frozen position', means: 'The phone sends, but always the same place.' },
  off_route: { title: 'Off the route', means: 'Is far from every way to the next stop.' },
  late_risk: { title: 'May be late', means: 'As things go, the order will not arrive in time.' },
  late: { title: 'Late', means: 'The promised time is over.' },
  low_battery: { title: 'Low battery', means: 'The phone will soon be off.' },
  outside_region: { title: 'Outside the region', means: 'Is farther away than the region reaches.' },
  impossible_jump: { title: 'Impossible jump', means: 'Positions that nobody can have travelled between.' },
  intake_silent: { title: 'No positions come in', means: 'All phones fell silent together: it is us, not them.' },
  unassigned: { title: 'Without a courier', means: 'Nobody has the order, and time runs out.' },
  unaccepted: { title: 'Nobody accepts', means: 'Offers of the order ran out or were refused, one after the other.' },
  impossible: { title: 'Impossible', means: 'Nobody can take the order any more, or ever could.' },
  goods_on_board: { title: 'Goods on board', means: 'The shift is over, and goods were not handed over.' },
  set_aside: { title: 'Set aside', means: 'A record that cannot be used; everything else goes on without it.' },
}
