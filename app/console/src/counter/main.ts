import { mount } from 'svelte'
import '../app.css'
import '../courier/courier.css'
import { listenForTouch } from '../courier/sound'
import Counter from './Counter.svelte'

listenForTouch()
mount(Counter, { target: document.getElementById('app')! })
