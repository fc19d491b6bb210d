/** A channel as it is typed, and as the API takes it. */

import type { Channel, ChannelPatch, NewChannel } from '../lib/types'
import { alerts } from '../words/alerts'
import { channels } from '../words/channels'

/** A service may take 25 s, and what speaks to it three minutes to start on a busy machine. */
export const WITHIN_MS = 210_000

export const STEPS = ['placed', 'on_its_way', 'arriving', 'delivered'] as const

export interface Draft {
  audience: 'staff' | 'recipients'
  url: string
  kinds: string[]
  region: string
  language: 'en' | 'ru'
  description: string
  from: string
  to: string
  group: number | null
  after: number | null
}

export const EMPTY: Readonly<Draft> = {
  audience: 'staff',
  url: '',
  kinds: [],
  region: '',
  language: 'en',
  description: '',
  from: '',
  to: '',
  group: null,
  after: null,
}

/** Recipients are told at once: what concerns staff only is left out. */
export function bodyOf(draft: Draft): NewChannel {
  const isForStaff = draft.audience === 'staff'
  return {
    audience: draft.audience,
    url: draft.url.trim(),
    kinds: draft.kinds,
    language: draft.language,
    description: draft.description.trim(),
    ...(draft.region && { region: draft.region }),
    ...((draft.from || draft.to) && { quiet: { from: draft.from, to: draft.to } }),
    ...(isForStaff && draft.group !== null && { group_s: draft.group }),
    ...(isForStaff && draft.after !== null && { after_s: Math.round(draft.after * 60) }),
  }
}

/** As it is; its address is not known any more, and stays where none is typed. */
export const draftOf = (channel: Channel): Draft => ({
  audience: channel.audience ?? 'staff',
  url: '',
  kinds: [...(channel.kinds ?? [])],
  region: channel.region ?? '',
  language: channel.language ?? 'en',
  description: channel.description ?? '',
  from: channel.quiet?.from.slice(0, 5) ?? '',
  to: channel.quiet?.to.slice(0, 5) ?? '',
  group: channel.group_s ?? null,
  after: channel.after_s == null ? null : channel.after_s / 60,
})

/** What shall be different: all of it, so that what was emptied is taken away. */
export function patchOf(draft: Draft): ChannelPatch {
  const { audience: _, url, group_s, ...body } = bodyOf(draft)
  return { ...body, ...(url && { url }), ...(group_s != null && { group_s }), region: draft.region || null, quiet: body.quiet ?? null }
}

/** Where a test for recipients goes to, by what was typed. */
export const trialOf = (text: string): { phone?: string; email?: string } =>
  text.includes('@') ? { email: text.trim() } : { phone: text.trim() }

/** What somebody is told of, in words; nothing: of all. */
export function named({ audience, kinds }: Pick<Channel, 'audience' | 'kinds'>): string[] {
  const names: Record<string, string> = audience === 'recipients' ? channels.steps : alerts.title
  return (kinds ?? []).map((kind) => names[kind] ?? kind)
}
