// One list of things, with its form, its search and its rows. Tasks and ideas are two of them.

import { call } from "./api.js";

const template = (id) => document.getElementById(id).content.cloneNode(true);

/** What a form says, as the API wants it: nothing typed is null. */
const values = (form) =>
  Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, value === "" ? null : value]));

export class Shelf {
  /**
   * `name` is the id of the section and of its templates. `path` is the collection's address.
   * `page(answer)` finds `{ rows, more }` in an answer, `facts(row)` and `text(row)` are shown.
   * `guard(work)` runs `work` and shows its failure.
   */
  constructor({ name, one, path, page, query, facts, text, guard }) {
    Object.assign(this, { name, one, path, page, query, facts, text, guard });
    this.section = document.getElementById(name);
    this.list = this.section.querySelector("ul");
    this.form = this.section.querySelector("form.add");
    this.search = this.section.querySelector("input[type=search]");
    this.count = this.section.querySelector(".count");
    this.more = this.section.querySelector(".more");
    this.form.append(template(`${name}-fields`), button("Add", "main"));
    this.form.addEventListener("submit", (event) => this.add(event));
    this.search.addEventListener("input", () => this.searchSoon());
    this.more.addEventListener("click", () => guard(() => this.load(this.list.children.length)));
    this.asked = 0;
  }

  /** Empties everything that belongs to one user. */
  clear() {
    this.asked += 1;
    clearTimeout(this.timer);
    this.list.replaceChildren();
    this.form.reset();
    this.search.value = "";
    this.count.textContent = "";
    this.more.hidden = true;
  }

  async load(offset = 0) {
    const mine = ++this.asked;
    const query = new URLSearchParams({ ...this.query, search: this.search.value });
    if (offset) query.set("offset", offset);
    const { rows, more } = this.page(await call("GET", `${this.path}?${query}`));
    // Answers may overtake each other: only the last question counts.
    if (mine !== this.asked) return;
    const elements = rows.map((row) => this.row(row));
    if (offset) this.list.append(...elements);
    else this.list.replaceChildren(...elements);
    this.more.hidden = !more;
    this.tell();
  }

  searchSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.guard(() => this.load()), 250);
  }

  tell() {
    const count = this.list.children.length;
    const found = this.search.value.trim() ? " found" : "";
    const plus = this.more.hidden ? "" : " so far";
    this.count.textContent = `${count || "No"} ${this.one}${count === 1 ? "" : "s"}${found}${plus}`;
  }

  add(event) {
    event.preventDefault();
    // A double click is one thing, not two.
    if (this.adding) return;
    this.adding = true;
    this.guard(async () => {
      const row = await call("POST", this.path, values(this.form)).finally(() => {
        this.adding = false;
      });
      this.form.reset();
      this.form.elements.title.focus();
      if (this.search.value) {
        // The new one need not match the search: show the whole list again.
        this.search.value = "";
        await this.load();
      } else {
        this.list.prepend(this.row(row));
        this.tell();
      }
    });
  }

  row(row) {
    const element = template(`${this.name}-row`).querySelector("li");
    const find = (selector) => element.querySelector(selector);
    element.classList.toggle("done", row.completed === true);
    find(".shown-title").textContent = row.title;
    find(".facts").textContent = this.facts(row).filter(Boolean).join(" · ");
    find(".text").textContent = this.text(row) ?? "";
    for (const unseen of element.querySelectorAll(".unseen")) unseen.textContent = ` “${row.title}”`;
    find(".edit").addEventListener("click", () => this.edit(element, row));
    find(".delete").addEventListener("click", () => this.remove(element, row));
    const box = find(".complete");
    if (box) {
      box.checked = row.completed;
      box.addEventListener("change", () => this.complete(element, row, box));
    }
    return element;
  }

  complete(element, row, box) {
    const completed = box.checked;
    this.guard(async () => {
      try {
        const now = await call("PATCH", `${this.path}/${row.id}/complete`, { completed });
        this.swap(element, now, ".complete");
      } catch (error) {
        box.checked = !completed;
        throw error;
      }
    });
  }

  edit(element, row) {
    const form = document.createElement("form");
    const actions = document.createElement("p");
    const cancel = button("Cancel", "", "button");
    actions.className = "actions";
    actions.append(button("Save", "main"), cancel);
    form.setAttribute("aria-label", `Edit “${row.title}”`);
    form.append(template(`${this.name}-fields`), actions);
    for (const input of form.querySelectorAll("[name]")) {
      const value = row[input.name] ?? "";
      input.value = input.type === "date" ? value.slice(0, 10) : value;
    }
    const before = values(form);
    const leave = () => this.swap(element, row, ".edit");
    cancel.addEventListener("click", leave);
    form.addEventListener("keydown", (event) => event.key === "Escape" && leave());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      // Only what was changed is sent, so an edit never undoes somebody else's.
      const changes = Object.entries(values(form)).filter(([name, value]) => value !== before[name]);
      this.guard(async () => {
        this.swap(element, await call("PATCH", `${this.path}/${row.id}`, Object.fromEntries(changes)), ".edit");
      });
    });
    element.replaceChildren(form);
    form.elements.title.focus();
  }

  remove(element, row) {
    this.guard(async () => {
      await call("DELETE", `${this.path}/${row.id}`);
      const next = element.nextElementSibling ?? element.previousElementSibling;
      element.remove();
      this.tell();
      // The button that had the focus is gone: go on where the list goes on.
      (next?.querySelector(".delete") ?? this.form.elements.title).focus();
    });
  }

  swap(element, row, focused) {
    const fresh = this.row(row);
    element.replaceWith(fresh);
    fresh.querySelector(focused).focus();
  }
}

function button(text, name, type = "submit") {
  const element = document.createElement("button");
  Object.assign(element, { type, className: name, textContent: text });
  return element;
}
