/** The settings of a region as fields of a form: from their JSON Schema, and back to a merge patch (RFC 7396). */

export interface Schema {
  type?: string
  enum?: readonly string[]
  anyOf?: readonly Schema[]
  items?: Schema
  properties?: Readonly<Record<string, Schema>>
  minimum?: number
  exclusiveMinimum?: number
  maximum?: number
  maxLength?: number
  pattern?: string
  description?: string
  default?: unknown
}

export type Kind = 'choice' | 'yesno' | 'integer' | 'number' | 'text' | 'colour' | 'lines' | 'json'

export interface Field {
  /** "/settings/alerts/late_after_s", as a problem points at it. */
  pointer: string
  group: string
  /** Within the group: "weights.travel". */
  name: string
  kind: Kind
  description: string
  choices: readonly string[]
  min?: number
  max?: number
  default: unknown
}

export type Values = Record<string, unknown>

function kindOf(schema: Schema): Kind {
  if (schema.enum) return 'choice'
  if (schema.type === 'boolean') return 'yesno'
  if (schema.type === 'integer' || schema.type === 'number') return schema.type
  if (schema.type === 'array') return schema.items?.type === 'string' ? 'lines' : 'json'
  if (schema.type === 'string') return schema.pattern?.startsWith('^#[0-9a-fA-F]') ? 'colour' : 'text'
  return 'json'
}

function fieldOf(group: string, path: readonly string[], schema: Schema): Field {
  const plain = schema.anyOf?.find((one) => one.type !== 'null') ?? schema
  return {
    pointer: ['/settings', group, ...path].join('/'),
    group,
    name: path.join('.'),
    kind: kindOf(plain),
    description: schema.description ?? '',
    choices: plain.enum ?? [],
    ...(plain.minimum !== undefined && { min: plain.minimum }),
    ...(plain.maximum !== undefined && { max: plain.maximum }),
    default: schema.default ?? null,
  }
}

/** Every setting there is, in the order of the schema. */
export function fieldsOf(schema: Schema): Field[] {
  const within = (group: string, path: readonly string[], one: Schema): Field[] =>
    Object.entries(one.properties ?? {}).flatMap(([name, inner]) =>
      inner.properties ? within(group, [...path, name], inner) : [fieldOf(group, [...path, name], inner)],
    )
  return Object.entries(schema.properties ?? {}).flatMap(([group, one]) => within(group, [], one))
}

const pathOf = (field: Field): string[] => field.pointer.split('/').slice(2)

/** What the region itself says of it; undefined: nothing. */
export function valueOf(field: Field, settings: Values): unknown {
  return pathOf(field).reduce<unknown>((value, name) => (value as Values | undefined)?.[name], settings)
}

/** As it is typed; empty for what the region says nothing of. */
export function textOf(field: Field, value: unknown): string {
  if (value === undefined || value === null) return ''
  if (field.kind === 'lines') return (value as string[]).join('\n')
  return field.kind === 'json' ? JSON.stringify(value, null, 2) : String(value)
}

export class Unreadable extends Error {}

/** What was typed; null: as the installation has it. Throws Unreadable. */
export function typed(field: Field, text: string): unknown {
  if (text.trim() === '') return null
  switch (field.kind) {
    case 'integer':
    case 'number': {
      const value = Number(text)
      if (!Number.isFinite(value)) throw new Unreadable('number')
      return value
    }
    case 'yesno':
      return text === 'true'
    case 'lines':
      return text.split('\n').map((line) => line.trim()).filter(Boolean)
    case 'json':
      try {
        return JSON.parse(text)
      } catch {
        throw new Unreadable('json')
      }
    default:
      return text
  }
}

/** What differs from what the region says now, and nothing else: somebody else may change the rest meanwhile. */
export function patchOf(fields: readonly Field[], texts: Readonly<Record<string, string>>, settings: Values): Values {
  const patch: Values = {}
  for (const field of fields) {
    const text = texts[field.pointer] ?? ''
    if (text === textOf(field, valueOf(field, settings))) continue
    const path = pathOf(field)
    const last = path.pop()!
    const holder = path.reduce<Values>((at, name) => (at[name] ??= {}) as Values, patch)
    holder[last] = typed(field, text)
  }
  return patch
}
