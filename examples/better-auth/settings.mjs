// What the environment may set, with its defaults.

import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ALGORITHMS = ["EdDSA", "ES256", "ES512", "RS256", "PS256"];

const env = (name, fallback) => process.env[name]?.trim() || fallback;

/** Port of this server: Better Auth and the pages. */
export const port = Number(env("PORT", "3000"));

/** Where the browser reaches this server. Its origin becomes `iss` and `aud` of every token. */
export const baseUrl = env("BETTER_AUTH_URL", `http://localhost:${port}`);

/** Where the browser reaches the CreatorVault API: an origin, without a path. */
export const apiOrigin = new URL(env("API_URL", "http://localhost:8000")).origin;

/** What new keys sign with. */
export const algorithm = env("JWT_ALG", "EdDSA");

/** Directory of the database and of the secret. */
export const dataDir = env("DATA_DIR", fileURLToPath(new URL("data", import.meta.url)));

if (!ALGORITHMS.includes(algorithm)) {
  console.error(`JWT_ALG=${algorithm} is not known. Use one of: ${ALGORITHMS.join(", ")}`);
  process.exit(2);
}
if (!Number.isInteger(port) || port < 1 || port > 65535) {
  console.error(`PORT=${process.env.PORT} is not a port number.`);
  process.exit(2);
}

mkdirSync(dataDir, { recursive: true });

/**
 * The secret Better Auth encrypts its private keys and signs its cookies with.
 * It must stay the same between starts, so one that nobody set is made once and kept.
 */
export function secret() {
  if (process.env.BETTER_AUTH_SECRET) return process.env.BETTER_AUTH_SECRET;
  const file = join(dataDir, "secret");
  try {
    // "wx" fails when the file is there: two starts at once end up with one secret.
    writeFileSync(file, randomBytes(32).toString("base64url"), { flag: "wx", mode: 0o600 });
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
  }
  return readFileSync(file, "utf8");
}
