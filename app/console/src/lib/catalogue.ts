/**
 * What the page says, in every language that it speaks. A view keeps its sentences in a file of its own under words/:
 *
 *     export const strip = catalogue(
 *       { late: 'late', orders: (n: number) => english(n, 'order', 'orders') },
 *       { late: 'опоздают', orders: (n) => russian(n, 'заказ', 'заказа', 'заказов') },
 *     )
 *
 * and shows `{strip.late}`: a sentence follows the language by itself. What is missing in one of them does not compile.
 */

import { locale, type Language } from './locale.svelte'

type Said = string | ((...args: never[]) => string) | { readonly [name: string]: Said }
type Same<T> = {
  readonly [K in keyof T]: T[K] extends (...args: infer A) => string ? (...args: A) => string : T[K] extends string ? string : Same<T[K]>
}

/** All of them, for the test that compares the languages. */
export const CATALOGUES: Readonly<Record<Language, object>>[] = []

export function catalogue<T extends Record<string, Said>>(en: T, ru: NoInfer<Same<T>>): Same<T> {
  const languages = { en: en as unknown as Same<T>, ru: ru as Same<T> }
  CATALOGUES.push(languages)
  const said = {} as Same<T>
  for (const name of Object.keys(en) as (keyof T)[])
    Object.defineProperty(said, name, { enumerable: true, get: () => languages[locale.language][name] })
  return said
}

const RULES = { en: new Intl.PluralRules('en'), ru: new Intl.PluralRules('ru') }
const numbers = new Map<string, Intl.NumberFormat>()

/** As the viewer writes numbers; `digits` after the point at most. */
export function number(value: number, digits = 0): string {
  const key = `${locale.tag} ${digits}`
  let format = numbers.get(key)
  if (!format) numbers.set(key, (format = new Intl.NumberFormat(locale.tag, { maximumFractionDigits: digits })))
  return format.format(value)
}

/** "1 order", "3 orders". */
export const english = (n: number, one: string, other: string): string =>
  `${number(n)} ${RULES.en.select(n) === 'one' ? one : other}`

/** "1 заказ", "3 заказа", "5 заказов". */
export function russian(n: number, one: string, few: string, many: string): string {
  const rule = RULES.ru.select(n)
  return `${number(n)} ${rule === 'one' ? one : rule === 'many' ? many : few}`
}
