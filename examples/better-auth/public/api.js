// Calls to the CreatorVault API, on its own origin, with the JWT as bearer.

import { token } from "./session.js";

const { api } = await (await fetch("/settings.json")).json();
const LONGEST_WAIT = 30;

const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

/**
 * Sends one call and returns the JSON of the answer, or null when there is none (204).
 * A 401 gets one new token and one more try, a 429 one more try when it allows it.
 */
export async function call(method, path, body) {
  let jwt = await token();
  let response = await send(method, path, body, jwt);
  if (response.status === 401) {
    jwt = await token(jwt);
    response = await send(method, path, body, jwt);
  }
  if (response.status === 429) {
    await pause(Math.min(Number(response.headers.get("Retry-After")) || 1, LONGEST_WAIT));
    response = await send(method, path, body, jwt);
  }
  if (response.status === 204) return null;
  const answer = await response.json().catch(() => null);
  if (response.ok) return answer;
  throw new Error(words(answer) ?? `The API answered ${response.status}.`);
}

async function send(method, path, body, jwt) {
  const headers = { Authorization: `Bearer ${jwt}` };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  try {
    return await fetch(api + path, { method, headers, body: body && JSON.stringify(body) });
  } catch {
    // The browser tells a script nothing finer than this.
    throw new Error(`The API at ${api} does not answer. Is it running, with BETTER_AUTH_URL=${location.origin}?`);
  }
}

/** The text of an error answer: the ideas contract nests it, the todo contract does not. */
function words(answer) {
  const fields = answer?.error?.details?.fields;
  if (fields) return Object.values(fields).flat().join(" ");
  return answer?.error?.message ?? answer?.detail;
}
