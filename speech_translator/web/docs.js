// Starts Swagger UI over our OpenAPI document; a file of its own, because the policy of the page
// allows no inline script.

window.SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  tryItOutEnabled: true,
  validatorUrl: null,
});
