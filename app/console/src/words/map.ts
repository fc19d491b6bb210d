/** What the map can show besides couriers. */

import { catalogue } from '../lib/catalogue'

export const map = catalogue(
  { routes: 'Routes', routesHelp: 'What everybody is to do next', orders: 'Orders', ordersHelp: 'Open orders: squares collect, circles deliver; hollow: nobody has it' },
  { routes: 'Маршруты', routesHelp: 'Что кому предстоит', orders: 'Заказы', ordersHelp: 'Открытые заказы: квадраты — забрать, круги — доставить; пустые — без курьера' },
)
