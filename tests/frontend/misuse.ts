// Mistakes that the types must catch: a line that compiles after all fails the test.
import { api } from "./api";

export async function misuse() {
  // @ts-expect-error no such path
  await api("get", "/api/v1/chores");
  // @ts-expect-error no such method here
  await api("put", "/api/v1/users/me");
  // @ts-expect-error no title
  await api("post", "/api/v1/tasks", { body: { priority: "high" } });
  // @ts-expect-error no such priority
  await api("post", "/api/v1/tasks", { body: { title: "x", priority: "urgent" } });
  // @ts-expect-error not a boolean
  await api("patch", "/api/v1/tasks/{id}/complete", { id: "1", body: { completed: "yes" } });
  // @ts-expect-error no such field in a change
  await api("patch", "/api/v1/ideas/{id}", { id: "1", body: { titel: "x" } });
  // @ts-expect-error no such filter
  await api("get", "/api/v1/tasks", { query: { colour: "red" } });
  const page = await api("get", "/api/v1/ideas");
  // @ts-expect-error ideas are not done, they have a stage
  page.items[0].completed;
  const gone = await api("delete", "/api/v1/ideas/{id}", { id: "1" });
  // @ts-expect-error nothing comes back from the removal of an idea
  gone.id;

  // And what must compile: every field of an answer has its type.
  const stage: "idea" | "outline" | "draft" | "published" = page.items[0].stage;
  const notes: string | null | undefined = page.items[0].notes;
  const total: number | undefined = page.total;
  const nothing: undefined = gone;
  await api("post", "/api/tasks", { body: { title: "only a title" } });
  return { stage, notes, total, nothing };
}
