/** The map and its tools. */

import { catalogue } from '../lib/catalogue'

export const tools = catalogue(
  {
    label: 'Map of the couriers; the table beside it shows the same',
    missing: 'This browser cannot draw the map (WebGL 2 is missing). The list shows everything.',
    picking: (what: string) => `Click where to ${what.toLowerCase()} · Esc leaves it`,
    showAll: 'Show all',
    showAllHint: 'Show everybody (a)',
    trails: 'Trails',
  },
  {
    label: 'Карта курьеров; таблица рядом показывает то же',
    missing: 'Этот браузер не может нарисовать карту (нет WebGL 2). Всё есть в списке.',
    picking: (what) => `Щёлкните по карте: ${what.toLowerCase()} · Esc — отмена`,
    showAll: 'Показать всё',
    showAllHint: 'Показать всех (a)',
    trails: 'Следы',
  },
)
