import { catalogue } from '../lib/catalogue'

export const units = catalogue(
  {
    s: 's',
    min: 'min',
    h: 'h',
    d: 'd',
    m: 'm',
    km: 'km',
    kmh: 'km/h',
    compass: { n: 'N', ne: 'NE', e: 'E', se: 'SE', s: 'S', sw: 'SW', w: 'W', nw: 'NW' },
  },
  {
    s: 'с',
    min: 'мин',
    h: 'ч',
    d: 'дн.',
    m: 'м',
    km: 'км',
    kmh: 'км/ч',
    compass: { n: 'С', ne: 'СВ', e: 'В', se: 'ЮВ', s: 'Ю', sw: 'ЮЗ', w: 'З', nw: 'СЗ' },
  },
)
