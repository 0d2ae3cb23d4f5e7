//! Words and tags in long lists: the same rows in the same order, whether the list is walked for them or an index asked.

use std::time::Duration;

use crate::harness::{Behind, Engine, Resource, World, on_both_and_pooled};

on_both_and_pooled!(a_long_list_is_searched_in_its_order);

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
    ann.v1_tasks().create(serde_json::json!({"title": "the last needle", "tags": ["seldom"]})).await.is(201);
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
            for offset in [1, 4, 1_990] {
                let page = tasks.titles(&format!("{question}&order={order}&limit=3&offset={offset}")).await;
                let window: Vec<_> = expected.iter().skip(offset).take(3).cloned().collect();
                assert_eq!(page, window, "{question} {order} from {offset}");
            }
            expected.reverse();
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
