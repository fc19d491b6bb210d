import { expect, test } from 'vitest'
import { bodyOf, draftOf, EMPTY, named, patchOf, trialOf } from '../src/admin/channelform'

test('a channel for staff has what was typed, and nothing of what was left empty', () => {
  expect(bodyOf({ ...EMPTY, url: ' slack://a/b/c ', kinds: ['late'] })).toEqual({
    audience: 'staff',
    url: 'slack://a/b/c',
    kinds: ['late'],
    language: 'en',
    description: '',
  })
  const draft = { ...EMPTY, url: 'slack://a', region: 'porto', from: '22:00', to: '06:00', group: 0, after: 2.5 }
  expect(bodyOf(draft)).toMatchObject({ region: 'porto', quiet: { from: '22:00', to: '06:00' }, group_s: 0, after_s: 150 })
})

test('what concerns staff only is not said of recipients, who are told at once', () => {
  const body = bodyOf({ ...EMPTY, audience: 'recipients', url: 'twilio://a/{phone}', group: 30, after: 5 })
  expect(body).not.toHaveProperty('group_s')
  expect(body).not.toHaveProperty('after_s')
})

test('a test goes to an e-mail where what was typed is one, else to a phone', () => {
  expect(trialOf(' a@example.org')).toEqual({ email: 'a@example.org' })
  expect(trialOf('+351 912')).toEqual({ phone: '+351 912' })
})

test('kinds are said in words, those that this page does not know by their names', () => {
  expect(named({ audience: 'recipients', kinds: ['on_its_way'] })).toEqual(['on its way'])
  expect(named({ audience: 'staff', kinds: ['late', 'brand_new'] })).toEqual(['Late', 'brand_new'])
  expect(named({ audience: 'staff' })).toEqual([])
})

test('a channel that is changed keeps its address unless one is typed, and loses what was emptied', () => {
  const channel = {
    ...{ id: 'a', service: 'Slack', created_at: '', n_waiting: 0, audience: 'staff' as const, kinds: ['late'], language: 'ru' as const },
    ...{ region: 'porto', quiet: { from: '22:00:00', to: '06:00:00' }, group_s: 30, after_s: 90, description: 'desk' },
  }
  const draft = draftOf(channel)
  expect(draft).toMatchObject({ url: '', region: 'porto', from: '22:00', to: '06:00', group: 30, after: 1.5, language: 'ru' })
  expect(patchOf({ ...draft, region: '', from: '', to: '', after: 2 })).toEqual({
    ...{ kinds: ['late'], language: 'ru', description: 'desk', region: null, quiet: null, group_s: 30, after_s: 120 },
  })
  expect(patchOf({ ...draft, url: ' slack://b ' })).toMatchObject({ url: 'slack://b', quiet: { from: '22:00', to: '06:00' } })
})
