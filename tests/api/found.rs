//! Words and tags in long lists: the same rows in the same order, whether the list is walked for them or an index asked.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::json;

use crate::harness::{Behind, Engine, Resource, User, World, on_both_and_pooled};

on_both_and_pooled!(a_long_list_is_searched_in_its_order, tags_of_more_rows_than_are_listed);

/// More than are looked at before an index is asked.
const ROWS: u64 = 6_000;

/// What every row is called, by its place in the order of creation: many are about a meeting, few have a needle, in
/// new rows and in old ones.
fn title(n: u64) -> String {
    let meeting = if n.is_multiple_of(5) { " meeting" } else { "" };
    let needle = if has_needle(n) { " needle" } else { "" };
    format!("row {n}{meeting}{needle}")
}

fn has_needle(n: u64) -> bool {
    [3, 15, 1_500, 5_990, 5_995].contains(&n)
}

/// Gives a user many rows at once, with the tags `often` and `seldom`.
async fn fill(behind: &Behind, user: &str) {
    let (id, created) = match behind.engine() {
        Engine::Sqlite => ("randomblob(16)", "1767225600000000 + n * 1000000"),
        Engine::Postgres | Engine::Pooled => {
            ("gen_random_uuid()", "timestamptz '2026-01-01Z' + n * interval '1 second'")
        }
    };
    let words = "case when n % 5 = 0 then ' meeting' else '' end \
                 || case when n in (3, 15, 1500, 5990, 5995) then ' needle' else '' end";
    let tag = |tag: &str, condition: &str| {
        format!(
            "insert into @task_tags (user_id, tag, task_id) \
             select user_id, '{tag}', id from @tasks where user_id = '{user}' and {condition};"
        )
    };
    let sql = format!(
        "insert into @users (id, next_task) values ('{user}', {next});
         insert into @tasks (user_id, id, number, title, title_fold, created_at)
             with recursive n (n) as (select 1 union all select n + 1 from n where n < {ROWS})
             select '{user}', {id}, n, 'row ' || n || {words}, 'row ' || n || {words}, {created} from n;
         {often} {seldom}
         analyze",
        next = ROWS + 1,
        often = tag("often", "number % 3 = 0"),
        seldom = tag("seldom", "number % 1999 = 7"),
    );
    behind.run(&sql).await;
}

/// Every page by `Link`, on to the end and then back: the titles both ways.
async fn walked(tasks: &Resource, query: &str) -> [Vec<String>; 2] {
    let mut ways = [Vec::new(), Vec::new()];
    let mut next = Some(query.to_owned());
    for (way, rel) in ["next", "prev"].into_iter().enumerate() {
        let mut at = next.take();
        while let Some(query) = at {
            let answer = tasks.list(&query).await;
            let link = answer.header("link").expect("a Link").to_owned();
            let titles: Vec<_> = answer.is(200)["items"]
                .as_array()
                .expect("a page")
                .iter()
                .map(|row| row["title"].as_str().expect("a title").to_owned())
                .collect();
            if way == 0 {
                ways[0].extend(titles);
            } else {
                ways[1].splice(0..0, titles).for_each(drop);
            }
            next = Some(query);
            let end = format!(">; rel=\"{rel}\"");
            at = link
                .split(", ")
                .find_map(|link| link.strip_prefix("<?")?.strip_suffix(end.as_str()))
                .map(str::to_owned);
        }
    }
    ways
}

async fn a_long_list_is_searched_in_its_order(world: &World) {
    let behind = world.behind().await;
    let (ann, bob) = (world.user("ann"), world.user("bob"));
    fill(&behind, "ann").await;
    fill(&behind, "bob").await;
    ann.v1_tasks().create(json!({"title": "the last needle", "tags": ["seldom"]})).await.is(201);
    let tasks = bob.v1_tasks();
    let seldom = |n: u64| n % 1999 == 7;
    let questions: [(&str, &dyn Fn(u64) -> bool); 8] = [
        ("search=needle", &has_needle),
        ("search=needle+meeting", &|n| has_needle(n) && n.is_multiple_of(5)),
        ("search=5990", &|n| n == 5_990),
        ("tags=seldom", &seldom),
        ("tags=seldom,often", &|n| seldom(n) || n.is_multiple_of(3)),
        ("tags=seldom,often&tag_mode=all", &|n| seldom(n) && n.is_multiple_of(3)),
        ("tags=often&search=needle", &|n| has_needle(n) && n.is_multiple_of(3)),
        ("tags=seldom&status=completed", &|_| false),
    ];
    for (question, fits) in questions {
        let mut expected: Vec<_> = (1..=ROWS).filter(|n| fits(*n)).map(title).collect();
        for order in ["asc", "desc"] {
            let limit = if expected.len() > 50 { 100 } else { 2 };
            let [on, back] = walked(&tasks, &format!("{question}&order={order}&limit={limit}")).await;
            assert_eq!(on, expected, "{question} {order}");
            assert_eq!(back, expected, "{question} {order}, back");
            let whole = bob.tasks().titles(&format!("{question}&order={order}")).await;
            assert_eq!(whole, expected, "{question} {order}, the bare array");
            for offset in [1, 4, 1_990] {
                let page = tasks.titles(&format!("{question}&order={order}&limit=3&offset={offset}")).await;
                let window: Vec<_> = expected.iter().skip(offset).take(3).cloned().collect();
                assert_eq!(page, window, "{question} {order} from {offset}");
            }
            expected.reverse();
        }
    }
}

/// More than are listed by a tag.
const FILMS: u64 = 1_500;

/// The tags of the films, by their place.
fn tags(n: u64) -> Vec<&'static str> {
    let tags = [
        ("film", true),
        ("first 1000", n <= 1_000),
        ("first 1001", n <= 1_001),
        ("short", n.is_multiple_of(2)),
        ("late", [5, 6].contains(&(n % 300))),
    ];
    tags.into_iter().filter_map(|(tag, has)| has.then_some(tag)).collect()
}

fn is_done(n: u64) -> bool {
    n.is_multiple_of(7)
}

/// Sends the films in batches of a hundred.
async fn send_films(user: &User, resource: &Resource) {
    for batch in 0..FILMS / 100 {
        let film = |n: u64| {
            let stage = if is_done(n) { "published" } else { "idea" };
            let mut data = json!({"title": title(n), "tags": tags(n)});
            if resource.is_ideas() {
                data["stage"] = json!(stage);
            } else {
                data["completed"] = json!(is_done(n));
            }
            json!({"op": "create", "data": data})
        };
        let operations: Vec<_> = (1..=100).map(|place| film(batch * 100 + place)).collect();
        let answer =
            user.post(&format!("{}/batch", resource.base), json!({ "operations": operations })).await;
        for result in answer.is(200)["results"].as_array().expect("results") {
            assert_eq!(result["status"], 201, "{result}");
        }
    }
}

async fn tags_of_more_rows_than_are_listed(world: &World) {
    let ann = world.user("ann");
    for films in [ann.v1_tasks(), ann.ideas()] {
        send_films(&ann, &films).await;
        let done = if films.is_ideas() { "stage=published" } else { "status=completed" };
        let done_films = format!("tags=film&{done}");
        let done_few = format!("tags=late&search=row&{done}");
        let has = |n: u64, tag: &str| tags(n).contains(&tag);
        let questions: [(&str, &dyn Fn(u64) -> bool); 13] = [
            ("tags=film", &|_| true),
            ("tags=film,late", &|_| true),
            ("tags=first+1000", &|n| n <= 1_000),
            ("tags=first+1001", &|n| n <= 1_001),
            ("tags=short", &|n| has(n, "short")),
            ("tags=film,late&tag_mode=all", &|n| has(n, "late")),
            ("tags=short,late&tag_mode=all", &|n| has(n, "short") && has(n, "late")),
            ("tags=film,short,late&tag_mode=all&search=needle", &|_| false),
            ("tags=film,none&tag_mode=all", &|_| false),
            ("tags=film&search=needle", &|n| has_needle(n)),
            ("tags=short&search=meeting+needle", &|n| has_needle(n) && n.is_multiple_of(10)),
            (&done_films, &is_done),
            (&done_few, &|n| has(n, "late") && is_done(n)),
        ];
        // Rows of one batch may be made at the same time: in which order they are is told by the list of them all.
        let [all, _] = walked(&films, "order=asc&limit=100").await;
        assert_eq!(all.len() as u64, FILMS);
        for (question, fits) in questions {
            let fitting: HashSet<_> = (1..=FILMS).filter(|n| fits(*n)).map(title).collect();
            let mut expected: Vec<_> = all.iter().filter(|title| fitting.contains(*title)).cloned().collect();
            assert_eq!(expected.len(), fitting.len());
            for order in ["asc", "desc"] {
                let limit = if expected.len() > 50 { 100 } else { 3 };
                let [on, back] = walked(&films, &format!("{question}&order={order}&limit={limit}")).await;
                assert_eq!(on, expected, "{question} {order}");
                assert_eq!(back, expected, "{question} {order}, back");
                let page = films.rows(&format!("{question}&order={order}&limit=2&offset=1")).await;
                let window: Vec<_> = expected.iter().skip(1).take(2).collect();
                assert_eq!(
                    page.iter().map(|row| &row["title"]).collect::<Vec<_>>(),
                    window,
                    "{question} from 1"
                );
                expected.reverse();
            }
            let total = films.list(&format!("{question}&limit=1")).await.is(200)["total"].clone();
            assert_eq!(total, expected.len(), "{question}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rare_word_is_found_by_its_index_on_postgres() {
    let world = World::open(Engine::Postgres, &[]).await;
    let behind = world.behind().await;
    let ann = world.user("ann");
    fill(&behind, "ann").await;
    // As autovacuum does after so many rows: what is new in such an index is a list at first.
    behind.run("vacuum analyze @tasks").await;
    let schema = behind.schema().unwrap_or_default();
    let scans = format!(
        "select coalesce(sum(idx_scan), 0)::bigint from pg_stat_user_indexes \
         where schemaname = '{schema}' and indexrelname = 'tasks_by_words'"
    );
    if world.vars().iter().any(|(name, _)| name == "DATABASE_RLS") {
        // Its operators are not known to leak nothing, so row level security does without it.
        assert_eq!(ann.v1_tasks().titles("search=needle&limit=5").await.len(), 5);
        assert_eq!(behind.number(&scans).await, 0);
        return;
    }
    for _ in 0..100 {
        // A server process tells of its scans at the end of a later transaction.
        assert_eq!(ann.v1_tasks().titles("search=needle&limit=5").await.len(), 5);
        if behind.number(&scans).await > 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("no search has asked the index of words");
}
