"use strict";

// In dev mode the server puts the demo user's token in front of this script: every bearer scheme gets it.
function signIn(ui, token) {
  const schemes = ui.getState().getIn(["spec", "json", "components", "securitySchemes"])?.toJS() ?? {};
  for (const [name, scheme] of Object.entries(schemes)) {
    if (scheme.type === "http" && scheme.scheme.toLowerCase() === "bearer") {
      ui.preauthorizeApiKey(name, token);
    }
  }
}

const ui = SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  filter: true,
  validatorUrl: null,
  onComplete: () => window.demoToken && signIn(ui, window.demoToken),
});
