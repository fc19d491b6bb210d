import { mount } from 'svelte'
import '../app.css'
import './courier.css'
import Courier from './Courier.svelte'
import { listenForTouch } from './sound'

listenForTouch()
// Without a worker, as in a private window, the page works as long as it is open.
navigator.serviceWorker?.register('/courier-worker.js', { scope: '/courier' }).catch(() => undefined)
mount(Courier, { target: document.getElementById('app')! })
