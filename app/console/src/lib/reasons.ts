/** Why things are done, mostly: to be chosen instead of written. */

export const REASONS: Record<'cancel' | 'reassign' | 'retry' | 'pin' | 'unpin', string[]> = {
  cancel: ['Customer changed their mind', 'Ordered twice', 'Place is closed', 'Wrong address'],
  reassign: ['Courier is late', 'Courier asked', 'Nearer courier', 'Vehicle broke down'],
  retry: ['Recipient is at home now', 'Address was corrected', 'Recipient asked'],
  pin: ['Agreed with the courier', 'Customer asked'],
  unpin: ['Let the dispatcher decide'],
}
