/** The button that only the demo has. */

import { catalogue } from '../lib/catalogue'

export const demo = catalogue(
  {
    button: 'Break something',
    ways: { courier: 'A courier stops moving', storm: '50 orders at once', kitchen: 'A restaurant is 20 minutes late' },
    breaking: 'Breaking…',
    look: 'Look',
  },
  {
    button: 'Сломать что-нибудь',
    ways: { courier: 'Курьер перестаёт двигаться', storm: '50 заказов сразу', kitchen: 'Ресторан опаздывает на 20 минут' },
    breaking: 'Ломаем…',
    look: 'Показать',
  },
)
