/** States and kinds, as the API names them, in people's words. */

import { catalogue } from '../lib/catalogue'

export const states = catalogue(
  {
    courier: { stuck: 'Trouble', late: 'Late', busy: 'On a job', online: 'Free', stale: 'Stale', offline: 'Offline' },
    courierHelp: {
      stuck: 'Does not move, or is off the route',
      late: 'An order will be or is late',
      busy: 'Has orders',
      online: 'Has no order',
      stale: 'No fix for a while',
      offline: 'No fix for long, or never',
    },
    mode: { car: 'Car', motorcycle: 'Motorcycle', bicycle: 'Bicycle', foot: 'On foot' },
    order: {
      placed: 'Placed',
      assigned: 'Assigned',
      accepted: 'Accepted',
      picked_up: 'Picked up',
      returning: 'Returning',
      delivered: 'Delivered',
      cancelled: 'Cancelled',
      failed: 'Failed',
      returned: 'Returned',
    },
    happened: {
      'order.placed': 'was ordered',
      'order.accepted': 'was accepted',
      'order.picked_up': 'was collected',
      'order.delivered': 'was delivered',
      'order.failed': 'could not be delivered',
      'order.returned': 'was brought back',
      'order.cancelled': 'was cancelled',
      'order.unassigned': 'waits for a courier again',
    },
    happenedBy: (what: string, name: string) => `${what} by ${name}`,
  },
  {
    courier: { stuck: 'Проблема', late: 'Опаздывает', busy: 'В работе', online: 'Свободен', stale: 'Нет свежих', offline: 'Не в сети' },
    courierHelp: {
      stuck: 'Не движется или ушёл с маршрута',
      late: 'Заказ опоздает или уже опоздал',
      busy: 'Есть заказы',
      online: 'Заказов нет',
      stale: 'Отметок нет некоторое время',
      offline: 'Отметок нет давно или не было никогда',
    },
    mode: { car: 'Автомобиль', motorcycle: 'Мотоцикл', bicycle: 'Велосипед', foot: 'Пешком' },
    order: {
      placed: 'Оформлен',
      assigned: 'Назначен',
      accepted: 'Принят',
      picked_up: 'Забран',
      returning: 'Возвращается',
      delivered: 'Доставлен',
      cancelled: 'Отменён',
      failed: 'Не доставлен',
      returned: 'Возвращён',
    },
    happened: {
      'order.placed': 'оформлен',
      'order.accepted': 'принят',
      'order.picked_up': 'забран',
      'order.delivered': 'доставлен',
      'order.failed': 'не удалось доставить',
      'order.returned': 'возвращён',
      'order.cancelled': 'отменён',
      'order.unassigned': 'снова ждёт курьера',
    },
    happenedBy: (what, name) => `${what}: ${name}`,
  },
)
