/** Every view that the address can name: what is not here cannot be opened, and the tests of all views walk this. */

export const TABS = ['couriers', 'orders', 'alerts'] as const
export type Tab = (typeof TABS)[number]

/** What concerns everybody. */
export const ADMIN = ['people', 'tokens', 'audit', 'regions', 'places', 'goods', 'webhooks', 'channels', 'pay', 'privacy', 'check'] as const

/** What lies over the rest, as the address has it (`open=`); `{courier}` stands for an id. */
export const OPENED = ['new-order', 'level', 'areas', 'courier-new', 'courier-{courier}', 'admin', ...ADMIN.map((name) => `admin-${name}`)] as const

const ID = '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}'
const OPENABLE = new RegExp(`^(${OPENED.join('|').replace('{courier}', ID)})$`)

export const isOpenable = (name: string | null): boolean => name !== null && OPENABLE.test(name)

/** As queries of the page's address; words in braces stand for what there is to show. */
export const VIEWS: readonly string[] = [
  ...TABS.map((tab) => `?tab=${tab}`),
  '?view=board',
  '?courier={courier}',
  '?courier={courier}&past={instant}',
  '?tab=orders&order={order}',
  '?plan=1',
  ...OPENED.map((name) => `?open=${name}`),
]
