// Better Auth: e-mail and password, the jwt() plugin, SQLite.

import { join } from "node:path";
import { betterAuth } from "better-auth";
import { jwt } from "better-auth/plugins";
import { SqliteDialect } from "kysely";
import Database from "libsql";
import { algorithm, baseUrl, dataDir, port, secret } from "./settings.mjs";

// `libsql` speaks better-sqlite3's language and comes from npm as a ready binary.
// `timeout` (ms) lets `npm run rotate` write while the server runs.
export const database = new Database(join(dataDir, "auth.db"), { timeout: 5000 });
database.pragma("journal_mode = wal");

export const auth = betterAuth({
  baseURL: baseUrl,
  secret: secret(),
  database: { type: "sqlite", dialect: new SqliteDialect({ database }) },
  // The page also works when somebody types the number instead of the name.
  trustedOrigins: [`http://127.0.0.1:${port}`],
  emailAndPassword: { enabled: true },
  // Plain `jwt()` does the same with EdDSA.
  plugins: [jwt({ jwks: { keyPairConfig: { alg: algorithm } } })],
});
