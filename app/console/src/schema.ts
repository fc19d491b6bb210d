// The description of the API, for people; everything it needs comes from this server.
import SwaggerUI from 'swagger-ui-dist/swagger-ui-es-bundle.js'
import 'swagger-ui-dist/swagger-ui.css'

// Closed at first: more than some 130 operations open at once, and it shows the first group only, without a word.
SwaggerUI({ dom_id: '#schema', url: '/schema/openapi.json', deepLinking: true, docExpansion: 'none', validatorUrl: null })
