// One process for Better Auth (/api/auth/…) and for the pages (everything else).

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { getMigrations } from "better-auth/db/migration";
import { toNodeHandler } from "better-auth/node";
import { auth, database } from "./auth.mjs";
import { algorithm, apiOrigin, baseUrl, port } from "./settings.mjs";

const FILES = {
  "/": ["index.html", "text/html; charset=utf-8"],
  "/style.css": ["style.css", "text/css; charset=utf-8"],
  "/icon.svg": ["icon.svg", "image/svg+xml"],
  "/app.js": ["app.js", "text/javascript; charset=utf-8"],
  "/session.js": ["session.js", "text/javascript; charset=utf-8"],
  "/api.js": ["api.js", "text/javascript; charset=utf-8"],
  "/shelf.js": ["shelf.js", "text/javascript; charset=utf-8"],
};

const HEADERS = {
  "Cache-Control": "no-cache",
  // The page may talk to itself and to the API, and to nobody else.
  "Content-Security-Policy": `default-src 'self'; connect-src 'self' ${apiOrigin}; base-uri 'none'; form-action 'self'; frame-ancestors 'none'`,
  "Referrer-Policy": "same-origin",
  "X-Content-Type-Options": "nosniff",
};

async function page(request, response) {
  const path = new URL(request.url, baseUrl).pathname;
  if (request.method !== "GET" && request.method !== "HEAD") {
    return response.writeHead(405, { ...HEADERS, Allow: "GET, HEAD" }).end();
  }
  if (path === "/settings.json") {
    response.writeHead(200, { ...HEADERS, "Content-Type": "application/json" });
    return response.end(JSON.stringify({ api: apiOrigin }));
  }
  // A fixed list: no path from outside ever reaches the file system.
  const [name, type] = Object.hasOwn(FILES, path) ? FILES[path] : [];
  if (!name) return response.writeHead(404, HEADERS).end("Not found\n");
  const body = await readFile(new URL(`public/${name}`, import.meta.url));
  response.writeHead(200, { ...HEADERS, "Content-Type": type }).end(body);
}

const betterAuth = toNodeHandler(auth);

async function answer(request, response) {
  try {
    await (request.url.startsWith("/api/auth/") ? betterAuth : page)(request, response);
  } catch (error) {
    console.error(error);
    if (!response.headersSent) response.writeHead(500, HEADERS);
    response.end();
  }
}

/** Listens on one loopback address. A machine without IPv6 does without the second one. */
function listen(host, needed) {
  const server = createServer(answer);
  return new Promise((resolve, reject) => {
    server.once("error", (error) => {
      if (error.code === "EADDRINUSE") {
        console.error(`Port ${port} is taken. Choose another one: PORT=${port + 1} npm start`);
        process.exit(1);
      }
      if (needed) reject(error);
      else resolve(undefined);
    });
    server.listen(port, host, () => resolve(server));
  });
}

await (await getMigrations(auth.options)).runMigrations();
// "localhost" means either address, depending on who asks, so both answer.
const servers = [await listen("127.0.0.1", true), await listen("::1", false)].filter(Boolean);
console.log(`Better Auth and the pages: ${baseUrl}   (tokens signed with ${algorithm})`);
console.log(`The API is expected at:    ${apiOrigin}`);
console.log(`Start it with:             BETTER_AUTH_URL=${baseUrl} creatorvault`);

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, () => {
    for (const server of servers) {
      server.close();
      server.closeAllConnections();
    }
    database.close();
  });
}
