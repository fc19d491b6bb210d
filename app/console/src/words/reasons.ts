/** Why things are done, mostly: to be chosen instead of written, where the region has no reasons of its own. */

import { catalogue } from '../lib/catalogue'

export const reasons = catalogue(
  {
    cancel: { changed: 'Customer changed their mind', twice: 'Ordered twice', closed: 'Place is closed', address: 'Wrong address' },
    reassign: { late: 'Courier is late', asked: 'Courier asked', nearer: 'Nearer courier', vehicle: 'Vehicle broke down' },
    retry: { home: 'Recipient is at home now', address: 'Address was corrected', asked: 'Recipient asked' },
    pin: { agreed: 'Agreed with the courier', asked: 'Customer asked' },
    unpin: { dispatcher: 'Let the dispatcher decide' },
  },
  {
    cancel: { changed: 'Клиент передумал', twice: 'Заказан дважды', closed: 'Заведение закрыто', address: 'Неверный адрес' },
    reassign: { late: 'Курьер опаздывает', asked: 'Курьер попросил', nearer: 'Есть ближе', vehicle: 'Поломка' },
    retry: { home: 'Получатель уже дома', address: 'Адрес исправлен', asked: 'Получатель попросил' },
    pin: { agreed: 'Договорились с курьером', asked: 'Клиент попросил' },
    unpin: { dispatcher: 'Пусть решит автомат' },
  },
)
