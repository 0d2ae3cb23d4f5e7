"use strict";
// System fonts: the default ones would come from another origin.
const fonts = "system-ui, sans-serif";
Redoc.init(
  "/openapi.json",
  {
    theme: {
      typography: {
        fontFamily: fonts,
        headings: { fontFamily: fonts },
        code: { fontFamily: "ui-monospace, monospace" },
      },
    },
  },
  document.getElementById("redoc"),
);
