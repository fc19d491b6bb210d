/** What is held of recipients and of staff: looked at, handed out, erased. */

import { catalogue, english, russian } from '../lib/catalogue'

export const persons = catalogue(
  {
    recipient: 'What is held of a recipient or a sender',
    contact: 'Name, e-mail address or phone number, as orders have it',
    look: 'Find',
    found: (orders: number, pictures: number) => `${english(orders, 'order', 'orders')}, ${english(pictures, 'picture', 'pictures')}`,
    none: 'Nothing is held of that contact.',
    open: (n: number) => `${english(n, 'order is', 'orders are')} under way: they can be erased once they are closed.`,
    take: 'Export everything',
    erase: 'Erase',
    eraseSure: 'Contact, address, instructions, proof with pictures and comments go from these orders. This cannot be taken back.',
    erased: (n: number) => `Erased from ${english(n, 'order', 'orders')}.`,
    staff: 'What is held of a member of staff',
    person: 'Person',
    staffSure:
      'The person is removed, with sessions, addresses and the provider’s name for them. The name stays in the audit log as long as that is kept.',
    staffErased: 'Erased. The name stays in the audit log.',
  },
  {
    recipient: 'Что хранится о получателе или отправителе',
    contact: 'Имя, адрес почты или телефон, как в заказах',
    look: 'Найти',
    found: (orders, pictures) => `${russian(orders, 'заказ', 'заказа', 'заказов')}, ${russian(pictures, 'снимок', 'снимка', 'снимков')}`,
    none: 'По этому контакту ничего не хранится.',
    open: (n) => `${russian(n, 'заказ выполняется', 'заказа выполняются', 'заказов выполняются')}: стереть можно после завершения.`,
    take: 'Выгрузить всё',
    erase: 'Стереть',
    eraseSure: 'Из этих заказов исчезнут контакт, адрес, указания, подтверждения со снимками и комментарии. Отменить нельзя.',
    erased: (n) => `Стёрто: ${russian(n, 'заказ', 'заказа', 'заказов')}.`,
    staff: 'Что хранится о сотруднике',
    person: 'Сотрудник',
    staffSure:
      'Сотрудник удаляется вместе с сеансами, адресами и именем у провайдера. В журнале действий имя остаётся, пока хранится журнал.',
    staffErased: 'Стёрто. В журнале действий имя остаётся.',
  },
)
