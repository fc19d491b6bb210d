/** What couriers and support write each other. */

import { catalogue } from '../lib/catalogue'

export const support = catalogue(
  {
    title: 'Support',
    messages: 'Messages',
    nothing: 'Write here what is about no order in particular.',
    none: 'Nothing was written yet.',
    waiting: 'not sent yet',
    from: 'Support',
    you: 'You',
    news: 'Support has answered',
    answer: 'Answer',
    earlier: 'Show more',
  },
  {
    title: 'Поддержка',
    messages: 'Сообщения',
    nothing: 'Пишите сюда о том, что не связано с заказом.',
    none: 'Пока никто ничего не написал.',
    waiting: 'ещё не отправлено',
    from: 'Поддержка',
    you: 'Вы',
    news: 'Поддержка ответила',
    answer: 'Ответ',
    earlier: 'Показать ещё',
  },
)
