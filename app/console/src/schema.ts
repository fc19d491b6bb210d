// The description of the API, for people; everything it needs comes from this server.
import SwaggerUI from 'swagger-ui-dist/swagger-ui-es-bundle.js'
import 'swagger-ui-dist/swagger-ui.css'

SwaggerUI({ dom_id: '#schema', url: '/schema/openapi.json', deepLinking: true, validatorUrl: null })
