// The page: the door (sign in, sign up) and the desk (tasks, ideas).

import { SignedOut, currentUser, forget, signIn, signOut, signUp } from "./session.js";
import { Shelf } from "./shelf.js";

const find = (id) => document.getElementById(id);
const trouble = find("trouble");

/** Runs `work` and puts its failure on the page. An ended session leads back to the door. */
async function guard(work) {
  trouble.hidden = true;
  try {
    await work();
  } catch (error) {
    if (error instanceof SignedOut) show(null);
    trouble.textContent = error.message;
    trouble.hidden = false;
  }
}

const due = ({ due_date }) => due_date && `due ${due_date.slice(0, 10)}`;

const shelves = [
  // The todo contract: a bare array of every task.
  new Shelf({
    name: "tasks",
    one: "task",
    path: "/api/tasks",
    page: (rows) => ({ rows, more: false }),
    query: {},
    facts: (task) => [`${task.priority} priority`, due(task)],
    text: (task) => task.description,
    guard,
  }),
  // The v1 contract: pages.
  new Shelf({
    name: "ideas",
    one: "idea",
    path: "/api/v1/me/ideas",
    page: ({ items, has_more }) => ({ rows: items, more: has_more }),
    query: { limit: 20 },
    facts: (idea) => [idea.stage, `${idea.priority} priority`],
    text: (idea) => idea.notes,
    guard,
  }),
];

/** Shows the desk of `user`, or the door. */
function show(user) {
  forget();
  for (const shelf of shelves) shelf.clear();
  find("door").hidden = Boolean(user);
  find("desk").hidden = find("account").hidden = !user;
  find("who").textContent = user?.name ?? "";
  if (user) for (const shelf of shelves) guard(() => shelf.load());
}

for (const [id, enter] of [["sign-in", signIn], ["sign-up", signUp]]) {
  find(id).addEventListener("submit", (event) => {
    event.preventDefault();
    const form = event.target;
    guard(async () => {
      const { user } = await enter(Object.fromEntries(new FormData(form)));
      form.reset();
      show(user);
      shelves[0].form.elements.title.focus();
    });
  });
}

find("sign-out").addEventListener("click", () =>
  guard(async () => {
    await signOut();
    show(null);
    find("sign-in").elements.email.focus();
  }),
);

await guard(async () => show(await currentUser()));
