import { mount } from 'svelte'
import App from './App.svelte'
import './app.css'
import { early } from './early'
import { VIEWS } from './lib/views'

// For tests, and for curious people at the console.
Object.assign(window, { __views: VIEWS })

mount(App, { target: document.getElementById('app')!, props: { early } })
