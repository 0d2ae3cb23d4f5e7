// What a user does in an afternoon, in a real browser.

import assert from "node:assert/strict";

const WAIT = 20_000;
const header = (jwt) => JSON.parse(Buffer.from(jwt.split(".")[0], "base64url"));

/** A tab that remembers what went wrong in it and which tokens it sent to the API. */
export async function openTab(context, { page: address, api }) {
  const tab = await context.newPage();
  tab.setDefaultTimeout(WAIT);
  const errors = [];
  const calls = [];
  tab.on("pageerror", (error) => errors.push(`exception: ${error.message}`));
  tab.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) errors.push(`${message.text()} (${message.location().url})`);
  });
  tab.on("response", async (response) => {
    const request = response.request();
    if (!request.url().startsWith(api) || request.method() === "OPTIONS") return;
    const jwt = request.headers().authorization?.replace("Bearer ", "");
    calls.push({ jwt, method: request.method(), url: request.url(), status: response.status() });
  });
  await tab.goto(address);
  return { tab, errors, calls };
}

/** The kid of the last token a tab sent. */
export const lastKid = (opened) => header(opened.calls.at(-1).jwt).kid;
export const lastAlg = (opened) => header(opened.calls.at(-1).jwt).alg;

export const shelf = (tab, name) => tab.getByRole("region", { name, exact: true });
const row = (tab, name, title) => shelf(tab, name).getByRole("listitem").filter({ hasText: title });
const tells = (tab, name, text) => shelf(tab, name).getByRole("status").filter({ hasText: text }).waitFor();
const gone = (locator) => locator.waitFor({ state: "detached" });

/** The page shows no trouble. */
export async function calm({ tab }) {
  const alert = tab.getByRole("alert");
  if (await alert.isVisible()) assert.fail(`the page says: ${await alert.textContent()}`);
}

export async function signUp(tab, { name, email, password }) {
  const form = tab.locator("#sign-up");
  await form.getByLabel("Name").fill(name);
  await form.getByLabel("E-mail").fill(email);
  await form.getByLabel("Password").fill(password);
  await form.getByRole("button", { name: "Sign up" }).click();
  await tab.getByText(`Signed in as ${name}`).waitFor();
}

export async function signIn(tab, { name, email, password }) {
  const form = tab.locator("#sign-in");
  await form.getByLabel("E-mail").fill(email);
  await form.getByLabel("Password").fill(password);
  await form.getByRole("button", { name: "Sign in" }).click();
  await tab.getByText(`Signed in as ${name}`).waitFor();
}

export async function signOut(tab) {
  await tab.getByRole("button", { name: "Sign out" }).click();
  await tab.getByRole("heading", { name: "Sign in" }).waitFor();
  assert.equal(await shelf(tab, "Tasks").count(), 0, "the lists are out of sight");
}

/** Types into the form of `name` and sends it with Enter or the button. */
export async function add(tab, name, fields, { key } = {}) {
  const form = shelf(tab, name).getByRole("form", { name: /^New/ });
  await fill(form, fields);
  if (key) await form.getByLabel("Title").press(key);
  else await form.getByRole("button", { name: "Add" }).click();
  await row(tab, name, fields.Title).waitFor();
}

async function fill(form, fields) {
  for (const [label, value] of Object.entries(fields)) {
    const input = form.getByLabel(label);
    const tag = await input.evaluate((element) => element.tagName);
    await (tag === "SELECT" ? input.selectOption(value) : input.fill(value));
  }
}

export async function addTasks(tab) {
  await tells(tab, "Tasks", "No tasks");
  await add(tab, "Tasks", { Title: "Buy <b>milk</b> & eggs" }, { key: "Enter" });
  await add(tab, "Tasks", { Title: "Call Grandma", Description: "about Sunday", Priority: "high", Due: "2031-05-04" });
  await add(tab, "Tasks", { Title: "Water the plants", Priority: "low" });
  await tells(tab, "Tasks", "3 tasks");
  await row(tab, "Tasks", "Call Grandma").getByText("high priority · due 2031-05-04").waitFor();
  assert.equal(await tab.locator("li b").count(), 0, "a title is text, never markup");
}

export async function completeTask(tab) {
  const box = tab.getByRole("checkbox", { name: "Call Grandma" });
  await box.check();
  await tab.locator("li.done", { hasText: "Call Grandma" }).waitFor();
  await tab.reload();
  await tab.locator("li.done", { hasText: "Call Grandma" }).waitFor();
  assert.ok(await box.isChecked(), "the tick is still there after a reload");
  await box.uncheck();
  await gone(tab.locator("li.done"));
  await box.check();
  await tab.locator("li.done", { hasText: "Call Grandma" }).waitFor();
}

export async function editTask(tab) {
  await tab.getByRole("button", { name: "Edit “Water the plants”" }).click();
  const form = tab.getByRole("form", { name: "Edit “Water the plants”" });
  await fill(form, { Title: "Water all the plants", Description: "not the cactus", Due: "2031-06-01" });
  await form.getByRole("button", { name: "Save" }).click();
  await row(tab, "Tasks", "Water all the plants").getByText("low priority · due 2031-06-01").waitFor();
  const again = tab.getByRole("button", { name: "Edit “Water all the plants”" });
  assert.ok(await again.evaluate((element) => element === document.activeElement), "the focus is back where it was");
  await again.press("Enter");
  await tab.getByRole("form", { name: "Edit “Water all the plants”" }).getByLabel("Title").press("Escape");
  await row(tab, "Tasks", "not the cactus").waitFor();
}

export async function searchTasks(tab) {
  const box = tab.getByRole("searchbox", { name: "Search tasks" });
  await box.fill("GRANDMA sunday");
  await tells(tab, "Tasks", "1 task found");
  await row(tab, "Tasks", "Call Grandma").waitFor();
  await box.fill("100%");
  await tells(tab, "Tasks", "No tasks found");
  await box.fill("");
  await tells(tab, "Tasks", /^3 tasks$/);
}

export async function deleteTask(tab) {
  await tab.getByRole("button", { name: "Delete “Buy <b>milk</b> & eggs”" }).click();
  await gone(row(tab, "Tasks", "milk"));
  await tells(tab, "Tasks", "2 tasks");
}

export async function ideas(tab) {
  await add(tab, "Ideas", { Title: "A film about rain", Notes: "black and white", Stage: "outline" });
  for (let number = 1; number <= 21; number += 1) await add(tab, "Ideas", { Title: `Short no. ${number}.` });
  await tab.reload();
  await tells(tab, "Ideas", "20 ideas so far");
  await tab.getByRole("button", { name: "Show more ideas" }).click();
  await tells(tab, "Ideas", /^22 ideas$/);
  await tab.getByRole("button", { name: "Edit “A film about rain”" }).click();
  const form = tab.getByRole("form", { name: "Edit “A film about rain”" });
  await fill(form, { Stage: "published", Notes: "" });
  await form.getByRole("button", { name: "Save" }).click();
  await row(tab, "Ideas", "A film about rain").getByText("published · medium priority").waitFor();
  await gone(row(tab, "Ideas", "black and white"));
  await tab.getByRole("searchbox", { name: "Search ideas" }).fill("film");
  await tells(tab, "Ideas", "1 idea found");
  await tab.getByRole("button", { name: "Delete “A film about rain”" }).click();
  await tells(tab, "Ideas", "No ideas found");
}

/** Light and dark are two pages. */
export async function colours(tab) {
  const background = () => tab.evaluate(() => getComputedStyle(document.body).backgroundColor);
  await tab.emulateMedia({ colorScheme: "light" });
  const light = await background();
  await tab.emulateMedia({ colorScheme: "dark" });
  assert.notEqual(await background(), light);
  await tab.emulateMedia({ colorScheme: null });
}

export const seesTasks = (tab, count) => tells(tab, "Tasks", count ? `${count} tasks` : "No tasks");
