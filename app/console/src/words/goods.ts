/** The goods of a place. */

import { catalogue, russian } from '../lib/catalogue'

export const goods = catalogue(
  {
    title: 'Goods',
    runOut: (n: number) => `${n} run out`,
    out: 'none left',
    reserved: (much: string) => `ordered ${much}`,
    until: (date: string) => `best before ${date}`,
    past: (much: string) => `past its date ${much}`,
  },
  {
    title: 'Товары',
    runOut: (n: number) => russian(n, 'закончился', 'закончились', 'закончились'),
    out: 'нет',
    reserved: (much: string) => `заказано ${much}`,
    until: (date: string) => `годен до ${date}`,
    past: (much: string) => `просрочено ${much}`,
  },
)
