// Who is signed in, by Better Auth's cookie, and the JWT that the API wants.

/** The Better Auth session has ended, so nobody is signed in any more. */
export class SignedOut extends Error {}

async function ask(path, body) {
  const request = body && {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  };
  const response = await fetch(`/api/auth${path}`, request);
  const answer = await response.json().catch(() => null);
  if (response.ok) return answer;
  throw new Error(answer?.message ?? `Better Auth answered ${response.status}.`);
}

export const signUp = (fields) => ask("/sign-up/email", fields);
export const signIn = (fields) => ask("/sign-in/email", fields);

export async function signOut() {
  forget();
  await ask("/sign-out", {});
}

/** The signed-in user, or null. */
export async function currentUser() {
  return (await ask("/get-session"))?.user ?? null;
}

// Only in memory: a script from elsewhere finds no token in the browser's storage.
let kept = null;
let coming = null;

/** Drops the JWT, and one that is still on its way: it belongs to who was signed in. */
export function forget() {
  kept = null;
  coming = null;
}

/**
 * The JWT, kept until half a minute before its `exp`.
 * Callers that ask together share one request. `refused` is a token that the API
 * just answered with 401: it is dropped, unless somebody renewed it in the meantime.
 */
export function token(refused) {
  if (kept && kept.token !== refused && Date.now() < kept.until) return Promise.resolve(kept.token);
  if (coming) return coming;
  const mine = fetchToken().then(
    (token) => {
      if (coming === mine) {
        kept = { token, until: expiry(token) - 30_000 };
        coming = null;
      }
      return token;
    },
    (error) => {
      if (coming === mine) coming = null;
      throw error;
    },
  );
  coming = mine;
  return mine;
}

async function fetchToken() {
  const response = await fetch("/api/auth/token");
  if (response.status === 401) throw new SignedOut("The session has ended. Please sign in again.");
  if (!response.ok) throw new Error(`Better Auth answered ${response.status}.`);
  return (await response.json()).token;
}

/** When a JWT ends, in milliseconds. The payload is read here, and judged by the API. */
function expiry(token) {
  const payload = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
  return JSON.parse(atob(payload)).exp * 1000;
}
