//! Pages by `Link`: from the first to the last and back, in every order, whatever others do meanwhile.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering as Memory};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use creatorvault::field::text::fold;
use serde_json::{Value, json};

use crate::harness::{
    Engine, Request, Resource, Spy, User, World, encode, on_both, on_both_and_pooled, test_server,
};

on_both_and_pooled!(every_order_is_walked_on_and_back);
on_both!(
    rows_that_stay_are_seen_once,
    pages_keep_their_place_when_its_row_goes,
    what_is_no_cursor_of_this_list_is_refused,
    a_page_without_a_count,
    links_hold_wherever_the_page_was_asked,
    a_cursor_shows_only_ones_own,
);

/// Words in their order.
const PRIORITIES: [&str; 3] = ["low", "medium", "high"];
const STAGES: [&str; 4] = ["idea", "outline", "draft", "published"];

/// A page and what its `Link` header names.
pub(crate) struct Page {
    body: Value,
    rows: Vec<Value>,
    next: Option<String>,
    prev: Option<String>,
    first: String,
}

/// Asks for a page; `query` begins with `?`.
async fn page(user: &User, path: &str, query: &str) -> Page {
    let answer = user.get(&format!("{path}{query}")).await;
    let body = answer.is(200);
    let header = answer.header("link").unwrap_or_else(|| panic!("{path}{query} has no Link")).to_owned();
    let link = |name: &str| {
        let end = format!(">; rel=\"{name}\"");
        let found = header.split(", ").find_map(|link| link.strip_prefix('<')?.strip_suffix(end.as_str()));
        found.inspect(|target| assert!(target.starts_with('?'), "{header}")).map(str::to_owned)
    };
    let rows = body.get("items").or(body.get("tasks")).and_then(Value::as_array).expect("a page").clone();
    let first = link("first").unwrap_or_else(|| panic!("no first in {header}"));
    let page = Page { rows, next: link("next"), prev: link("prev"), first, body };
    assert!(page.rows.is_empty() || page.body["has_more"] == page.next.is_some(), "{query}: {header}");
    assert_eq!(page.body.get("offset").is_some(), !query.contains("cursor="), "{query}");
    page
}

/// Every row by `next` from this page on, and the last page that has any (what comes next may go before it is asked for).
pub(crate) async fn on(user: &User, path: &str, query: &str) -> (Vec<Value>, Page) {
    let mut last = page(user, path, query).await;
    let mut rows = last.rows.clone();
    while let Some(next) = &last.next {
        let next = page(user, path, next).await;
        if next.rows.is_empty() {
            break;
        }
        rows.extend(next.rows.clone());
        last = next;
    }
    (rows, last)
}

/// Every row of this page and by `prev` before it, and the first page.
pub(crate) async fn back(user: &User, path: &str, mut first: Page) -> (Vec<Value>, Page) {
    let mut rows = first.rows.clone();
    while let Some(prev) = &first.prev {
        first = page(user, path, prev).await;
        rows.splice(0..0, first.rows.clone());
    }
    (rows, first)
}

/// RFC 3339 in UTC with however many decimals, so that texts compare as times do.
fn moment(value: &Value) -> String {
    let text = value.as_str().expect("a time").trim_end_matches('Z');
    let (seconds, decimals) = text.split_once('.').unwrap_or((text, ""));
    format!("{seconds}.{decimals:0<6}")
}

/// How two rows compare under one key, missing due dates last either way.
fn compare(key: &str, descending: bool, a: &Value, b: &Value) -> Ordering {
    let rank = |value: &Value, words: &[&str]| words.iter().position(|word| value == word).expect("known");
    let (x, y) = (&a[key], &b[key]);
    if key == "due_date" && (x.is_null() || y.is_null()) {
        return x.is_null().cmp(&y.is_null());
    }
    let up = match key {
        "title" => fold(x.as_str().expect("a title")).cmp(&fold(y.as_str().expect("a title"))),
        "priority" => rank(x, &PRIORITIES).cmp(&rank(y, &PRIORITIES)),
        "stage" => rank(x, &STAGES).cmp(&rank(y, &STAGES)),
        "completed" => x.as_bool().cmp(&y.as_bool()),
        _ => moment(x).cmp(&moment(y)),
    };
    if descending { up.reverse() } else { up }
}

/// The rows as `sort` and `order` say, by the rules of the contract.
pub(crate) fn sorted(mut rows: Vec<Value>, sort: &str, order: &str) -> Vec<Value> {
    let alone = !sort.contains(',');
    let keys: Vec<(&str, bool)> = sort
        .split(',')
        .map(|key| match key.strip_prefix('-') {
            Some(key) => (key, true),
            None => (key, alone && order == "desc"),
        })
        .collect();
    rows.sort_by(|a, b| {
        let by_keys = keys.iter().map(|(key, descending)| compare(key, *descending, a, b));
        let ids = a["id"].as_str().cmp(&b["id"].as_str());
        let ids = if keys[keys.len() - 1].1 { ids.reverse() } else { ids };
        by_keys.fold(Ordering::Equal, Ordering::then).then(ids)
    });
    rows
}

/// Every order of a list: `sort` and `order`.
pub(crate) fn orders(own: &str) -> Vec<(String, &'static str)> {
    let single = ["created_at", "updated_at", "title", "priority", "due_date", own];
    let mut orders: Vec<_> =
        single.iter().flat_map(|key| ["asc", "desc"].map(|order| ((*key).to_owned(), order))).collect();
    let several = [
        "-priority,title".to_owned(),
        "title,-due_date".to_owned(),
        "-title,due_date".to_owned(),
        "-due_date,priority".to_owned(),
        "due_date,-title".to_owned(),
        "due_date,due_date".to_owned(),
        format!("due_date,-{own},title"),
        format!("{own},-priority,due_date,-created_at"),
        format!("-{own},-updated_at"),
        "created_at,-title".to_owned(),
    ];
    orders.extend(several.map(|sort| (sort, "asc")));
    orders
}

/// Rows with equal titles, times, priorities and due dates, in several scripts.
async fn fill(world: &World, resource: &Resource, rows: usize) {
    let titles = ["Same", "same", "Éclair", "e\u{301}clair", "字", "ẞ", "ss", "50%_", "👍", "ا"];
    for i in 0..rows {
        let due = match i % 5 {
            0 | 1 => Value::Null,
            2 => json!("2001-01-01T00:00:00.5Z"),
            3 => json!("0001-01-01"),
            _ => json!(format!("2030-01-01T00:00:00.{:03}Z", i % 7)),
        };
        let title = titles[i * 7 % titles.len()];
        let row = json!({
            "title": title,
            "priority": PRIORITIES[i % 3],
            "stage": STAGES[i % 4],
            "completed": i % 2 == 0,
            "tags": if i % 2 == 0 { json!(["even", "x"]) } else { json!(["x"]) },
            "due_date": due,
        });
        resource.create(row).await.is(201);
    }
    let table = resource.kind;
    let behind = world.behind().await;
    for (column, priority) in [("created_at", "low"), ("updated_at", "high")] {
        behind
            .run(&format!(
                "update @{table} set {column} = (select min({column}) from @{table}) where priority = '{priority}'"
            ))
            .await;
    }
}

async fn every_order_is_walked_on_and_back(world: &World) {
    let ann = world.user("ann");
    let filters = [
        "has_due_date=false",
        "priority=high,low",
        "has_due_date=true",
        "tags=even",
        "search=s",
        "overdue=false",
        "due_before=2020-01-01",
        "OWN",
    ];
    for resource in [ann.v1_tasks(), ann.ideas()] {
        fill(world, &resource, 33).await;
    }
    for resource in ann.resources() {
        let own = if resource.is_ideas() { "stage" } else { "completed" };
        let of_own = if resource.is_ideas() { "stage=idea" } else { "status=pending" };
        for (place, (sort, order)) in orders(own).into_iter().enumerate() {
            for filter in ["", filters[place % filters.len()]] {
                let filter = if filter == "OWN" { of_own } else { filter };
                let rows = resource.rows(&format!("limit=100&{filter}")).await;
                let model = sorted(rows, &sort, order);
                let query = format!("?sort={sort}&order={order}&{filter}&limit={}", 1 + place % 4 * 5);
                let (all, last) = on(&ann, &resource.base, &query).await;
                assert_eq!(all, model, "{}{query}", resource.base);
                assert_eq!(last.body["total"], model.len(), "{}{query}", resource.base);
                let (all, first) = back(&ann, &resource.base, last).await;
                assert_eq!(all, model, "back {}{query}", resource.base);
                let beginning = page(&ann, &resource.base, &first.first).await;
                assert_eq!(beginning.rows[0], model[0], "first {}{query}", resource.base);
                assert_eq!((beginning.prev, &beginning.body["offset"]), (None, &json!(0)));
                // From the midst, asked for by number.
                let midst = page(&ann, &resource.base, &format!("{query}&offset=3")).await;
                let (all, _) = back(&ann, &resource.base, midst).await;
                assert_eq!(all[..], model[..all.len()], "back from 3 {}{query}", resource.base);
            }
        }
    }
}

/// While others insert and delete on both sides, every row that stays is seen once, on and back.
async fn rows_that_stay_are_seen_once(world: &World) {
    let ann = world.user("ann");
    for resource in [ann.tasks(), ann.ideas()] {
        fill(world, &resource, 40).await;
        let stay: BTreeSet<String> =
            resource.rows("limit=100").await.iter().map(|row| row["id"].to_string()).collect();
        let (over, steps) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let churn = tokio::spawn(churn(resource.clone(), over.clone(), steps.clone()));
        let own = if resource.is_ideas() { "stage" } else { "completed" };
        let orders = orders(own);
        // Every order, and on until enough has come and gone meanwhile.
        for (walked, (sort, order)) in orders.iter().cycle().enumerate() {
            if walked >= orders.len() && steps.load(Memory::Relaxed) > 20 {
                break;
            }
            let query = format!("?sort={sort}&order={order}&limit=3");
            let (rows, last) = on(&ann, &resource.base, &query).await;
            seen_once(&rows, &stay, &query);
            let (rows, _) = back(&ann, &resource.base, last).await;
            seen_once(&rows, &stay, &format!("back {query}"));
        }
        over.store(true, Memory::Relaxed);
        churn.await.expect("the churn ends well");
    }
}

fn seen_once(rows: &[Value], stay: &BTreeSet<String>, query: &str) {
    let mut seen: Vec<_> =
        rows.iter().map(|row| row["id"].to_string()).filter(|id| stay.contains(id)).collect();
    seen.sort_unstable();
    assert_eq!(seen, stay.iter().cloned().collect::<Vec<_>>(), "{query}");
}

/// Makes rows at the beginning, in the midst and at the end of every order, and removes them again.
async fn churn(resource: Resource, over: Arc<AtomicBool>, done: Arc<AtomicUsize>) {
    let mut made = Vec::new();
    while !over.load(Memory::Relaxed) {
        let steps = done.fetch_add(1, Memory::Relaxed);
        let due = if steps.is_multiple_of(2) { Value::Null } else { json!("2015-01-01") };
        let title = ["A", "same", "zz"][steps % 3];
        let priority = ["high", "low", "medium"][steps % 3];
        let row = json!({"title": title, "priority": priority, "due_date": due, "completed": steps % 4 < 2});
        made.push(resource.create(row).await.is(201)["id"].clone());
        if made.len() > 5 {
            assert!(resource.delete(&made.remove(steps % 5)).await.status < 300);
        }
    }
}

/// The row that a cursor was made of may go: its place stays. A page of which nothing is left has only `first`.
async fn pages_keep_their_place_when_its_row_goes(world: &World) {
    let ann = world.user("ann");
    for resource in ann.resources() {
        for i in 0..6 {
            resource.create(json!({"title": format!("{i}"), "due_date": Value::Null})).await.is(201);
        }
        for sort in ["created_at", "title", "due_date", "priority,title"] {
            let titles = |page: &Page| -> Vec<String> {
                page.rows.iter().map(|row| row["title"].as_str().expect("a title").to_owned()).collect()
            };
            let query = format!("?sort={sort}&order=asc&limit=2");
            let one = page(&ann, &resource.base, &query).await;
            let two = page(&ann, &resource.base, &one.next.clone().expect("more")).await;
            let three = page(&ann, &resource.base, &two.next.clone().expect("more")).await;
            assert_eq!((titles(&three), &three.next), (vec!["4".to_owned(), "5".to_owned()], &None));
            for row in [&two.rows[0], &two.rows[1]] {
                resource.delete(&row["id"]).await;
            }
            let next = page(&ann, &resource.base, &one.next.clone().expect("more")).await;
            assert_eq!(titles(&next), ["4", "5"], "{sort}");
            let prev = page(&ann, &resource.base, &three.prev.clone().expect("some before")).await;
            assert_eq!((titles(&prev), &prev.prev), (vec!["0".to_owned(), "1".to_owned()], &None), "{sort}");
            assert!(prev.next.is_some(), "{sort}");
            for row in [&three.rows[0], &three.rows[1]] {
                resource.delete(&row["id"]).await;
            }
            let prev = page(&ann, &resource.base, &three.prev.clone().expect("some before")).await;
            assert_eq!((titles(&prev).len(), &prev.next), (2, &None), "nothing is left after it: {sort}");
            let empty = page(&ann, &resource.base, &two.next.clone().expect("more")).await;
            assert_eq!((empty.rows.len(), &empty.next, &empty.prev), (0, &None, &None), "{sort}");
            assert_eq!(titles(&page(&ann, &resource.base, &empty.first).await), ["0", "1"]);
            for row in resource.rows("limit=100").await {
                resource.delete(&row["id"]).await;
            }
            for i in 0..6 {
                resource.create(json!({"title": format!("{i}"), "due_date": Value::Null})).await.is(201);
            }
        }
        for row in resource.rows("limit=100").await {
            resource.delete(&row["id"]).await;
        }
    }
}

async fn what_is_no_cursor_of_this_list_is_refused(world: &World) {
    let ann = world.user("ann");
    let damaged = "This cursor is damaged or of another version: send one as it stood in a Link header, or none to begin \
                   with the first page";
    let foreign = "This cursor belongs to another sort or other filters: send it with those it came with, or none to begin \
                   with the first page";
    for resource in ann.resources() {
        for i in 0..4 {
            resource.create(json!({"title": format!("Row {i}"), "tags": ["a"]})).await.is(201);
        }
        let next = page(&ann, &resource.base, "?limit=1&sort=title&tags=a").await.next.expect("more");
        let (_, cursor) = next.split_once("&cursor=").expect("a cursor");
        let ask = async |query: &str| resource.list(query).await;
        ask(&format!("tags=a&cursor={cursor}&sort=-title")).await.is(200);
        for (query, text) in [
            (format!("sort=title&tags=a&cursor={cursor}A"), damaged),
            (format!("sort=title&tags=a&cursor={}", &cursor[1..]), damaged),
            (format!("sort=title&tags=a&cursor={cursor}%3D"), damaged),
            (format!("sort=title&tags=a&cursor={}", cursor.to_ascii_uppercase()), damaged),
            (format!("sort=title&tags=a&cursor={}", newer(cursor)), damaged),
            ("cursor=".to_owned(), damaged),
            ("cursor=2".to_owned(), damaged),
            (format!("sort=title&order=asc&tags=a&cursor={cursor}"), foreign),
            (format!("sort=-title,priority&tags=a&cursor={cursor}"), foreign),
            (format!("sort=title&cursor={cursor}"), foreign),
            (format!("sort=title&tags=a&priority=low&cursor={cursor}"), foreign),
        ] {
            ask(&query).await.complains(&[("cursor", text)]);
        }
        let both = format!("sort=title&tags=a&cursor={cursor}&offset=0");
        ask(&both).await.complains(&[(
            "offset",
            "offset and cursor exclude each other: a cursor says where its page begins",
        )]);
        ask(&format!("cursor={cursor}&cursor={cursor}"))
            .await
            .complains(&[("cursor", "cursor must be given once")]);
        ask(&format!("sort=colour&cursor={cursor}")).await.complains_about("sort");
        ask(&format!("sort=colour&cursor={cursor}x")).await.complains_about("cursor");
        ask("limit=2&count=maybe")
            .await
            .complains(&[("count", "Invalid count. Must be one of: true, false")]);
    }
    // One list's cursor is none of another's, even where sort and filters have the same words.
    let next = page(&ann, &ann.ideas().base, "?limit=1").await.next.expect("more");
    let foreigner = ann.get(&format!("{}{next}", ann.v1_tasks().base)).await;
    foreigner.complains(&[("cursor", foreign)]);
}

/// The same cursor as a later version would write it, whole.
fn newer(cursor: &str) -> String {
    let mut bytes = URL_SAFE_NO_PAD.decode(cursor).expect("base64url");
    bytes.truncate(bytes.len() - 4);
    bytes[0] += 1;
    let sum = digest(&SHA256, &bytes);
    bytes.extend(&sum.as_ref()[..4]);
    URL_SAFE_NO_PAD.encode(bytes)
}

async fn a_page_without_a_count(world: &World) {
    let ann = world.user("ann");
    for resource in ann.resources() {
        for i in 0..3 {
            resource.create(json!({"title": format!("Row {i}")})).await.is(201);
        }
        let has = resource.rows("limit=100").await.len();
        for (query, more) in [
            ("limit=2&count=false".to_owned(), true),
            (format!("limit={has}&count=false"), false),
            ("limit=2&offset=1&count=false".to_owned(), has > 3),
            ("limit=2&count=true".to_owned(), true),
        ] {
            let answer = resource.list(&query).await;
            let body = answer.is(200);
            let counted = !query.contains("count=false");
            assert_eq!(body.get("total").is_some(), counted, "{query}");
            assert_eq!(answer.header("x-total-count").is_some(), counted, "{query}");
            assert_eq!(body["has_more"], more, "{query}");
        }
        let (rows, _) = on(&ann, &resource.base, "?limit=1&count=false").await;
        assert_eq!(rows.len(), has, "links keep count=false");
    }
    let bare = ann.tasks().list("count=false").await;
    assert!(bare.is(200).is_array() && bare.header("link").is_none(), "the bare array stays one");
}

async fn links_hold_wherever_the_page_was_asked(world: &World) {
    for id in ["ann", "a/b ü?&<>\"%41", "日本語"] {
        let user = world.user(id);
        for resource in user.resources() {
            for i in 0..3 {
                let row = json!({"title": format!("Row, {i}"), "tags": ["a&b", "ü>;"]});
                resource.create(row).await.is(201);
            }
            let total = resource.rows("limit=100").await.len();
            let without = resource.base.replace(&format!("{}/", encode(id)), "");
            let me = resource.base.replace(&encode(id), "me");
            for path in [&resource.base, &format!("{}/", resource.base), &without, &me] {
                let (rows, last) = on(&user, path, "?limit=1").await;
                assert_eq!(rows.len(), total, "{path}");
                let (rows, _) = back(&user, path, last).await;
                assert_eq!(rows.len(), total, "{path}");
                // Whatever was asked is asked again, however it was written, and what is unknown too.
                let odd = "?q=row,+%2c&tags=a%26b,%C3%BC%3E;&tags=%c3%bc%3E%3B&limit=2&x&offset=1&unknown=%3C%22%2B";
                let (rows, last) = on(&user, path, odd).await;
                assert_eq!(rows.len(), total - 1, "{path}");
                assert_eq!(
                    last.first,
                    "?q=row%2C%20%2C&tags=a%26b%2C%C3%BC%3E%3B&tags=%C3%BC%3E%3B&limit=2&x=&unknown=%3C%22%2B"
                );
            }
            let head = user.send(Request::new("HEAD", format!("{}?limit=1", resource.base))).await;
            head.is(200);
            let get = resource.list("limit=1").await;
            assert_eq!(head.header("link"), get.header("link"));
            assert!(get.header("link").is_some_and(|link| link.contains("rel=\"next\"")));
        }
    }
    // A todo list without any of the three would be an array, so the limit is named.
    let todo = world.user("ann").tasks();
    let ann = world.user("ann");
    let by_offset = page(&ann, &todo.base, "?offset=1").await;
    assert_eq!((by_offset.first.as_str(), &by_offset.body["limit"]), ("?limit=50", &json!(50)));
    let prev = by_offset.prev.expect("one before");
    let by_cursor = page(&ann, &todo.base, &prev.replace("limit=50&", "")).await;
    assert_eq!((by_cursor.rows.len(), &by_cursor.body["limit"]), (1, &json!(50)));
}

async fn a_cursor_shows_only_ones_own(world: &World) {
    let (ann, bob) = (world.user("ann"), world.user("bob"));
    for (anns, bobs) in ann.resources().into_iter().zip(bob.resources()) {
        for i in 0..3 {
            anns.create(json!({"title": format!("Ann {i}")})).await.is(201);
            bobs.create(json!({"title": format!("Bob {i}")})).await.is(201);
        }
        for sort in ["created_at", "title", "due_date", "-priority,title"] {
            let first = page(&ann, &anns.base, &format!("?limit=2&sort={sort}")).await;
            let next = first.next.expect("more");
            let theirs = page(&bob, &bobs.base, &next).await;
            assert!(theirs.rows.iter().all(|row| row["user_id"] == "bob"), "{sort}: {}", theirs.body);
            ann.get(&format!("{}{next}", bobs.base)).await.is(403);
        }
    }
}

/// What PostgreSQL is sent for a page by cursor: a count only where it is wanted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_counts_only_when_asked() {
    let (spy, url) = Spy::before(&test_server("TEST_POSTGRES_URL")).await;
    let world = World::open(Engine::Postgres, &[("DATABASE_URL", &url)]).await;
    let ann = world.user("ann");
    for i in 0..5 {
        ann.ideas().create(json!({"title": format!("Row {i}")})).await.is(201);
    }
    let counts = || spy.statements().iter().filter(|text| text.contains("count(")).count();
    let before = counts();
    let (_, last) = on(&ann, &ann.ideas().base, "?limit=2&count=false&sort=title").await;
    back(&ann, &ann.ideas().base, last).await;
    assert_eq!(counts(), before, "no page was counted");
    page(&ann, &ann.ideas().base, "?limit=2&sort=title").await;
    assert_eq!(counts(), before + 1);
}
