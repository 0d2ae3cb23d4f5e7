//! Numbers about all of a user's rows: those of a model, at every border of a day, and nobody else's.

use std::collections::BTreeMap;

use creatorvault::clock::Clock;
use creatorvault::field::timestamp::Timestamp;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::{Dice, Resource, User, World, on_both, on_both_and_pooled};

on_both_and_pooled!(numbers_are_those_of_a_model);
on_both!(
    today_is_where_the_user_lives,
    who_has_nothing_has_every_number,
    tags_follow_their_rows,
    what_is_no_zone_is_told,
);

const DAY: i64 = 86_400_000_000;

fn at(text: &str) -> Timestamp {
    let time: jiff::Timestamp = text.parse().expect("a time");
    Timestamp::from_micros(time.as_microsecond())
}

async fn stats(user: &User, kind: &str, query: &str) -> Value {
    user.get(&format!("/api/v1/{kind}/stats{query}")).await.is(200)
}

async fn numbers_are_those_of_a_model(world: &World) {
    let now = at("2026-11-20T15:30:00Z");
    let world = world.held(&Clock::held(now)).await;
    let mut dice = Dice::new();
    let users: Vec<_> = ["ann", "bob", "o'brien"].map(|id| world.user(id)).into();
    let mut models = Vec::new();
    for user in &users {
        for resource in [user.v1_tasks(), user.ideas()] {
            let rows: Vec<_> = (0..120 + dice.below(60)).map(|_| random_row(&mut dice, now)).collect();
            for some in rows.chunks(30) {
                let answers = join_all(some.iter().map(|row| resource.create(row.clone()))).await;
                answers.iter().for_each(|answer| assert_eq!(answer.status, 201, "{}", answer.text()));
            }
            models.push((user, resource, rows));
        }
    }
    for (user, resource, rows) in &models {
        for (tz, offset) in
            [("", 0), ("?tz=Asia/Karachi", 5), ("?tz=Pacific/Kiritimati", 14), ("?tz=Pacific/Niue", -11)]
        {
            let expected = counted(resource, rows, now, offset);
            assert_eq!(stats(user, resource.kind, tz).await, expected, "{}{tz}", resource.base);
        }
        let tags = user.get(&format!("{}/tags", resource.base)).await.is(200);
        assert_eq!(tags, counted_tags(rows), "{}", resource.base);
    }
}

fn random_row(dice: &mut Dice, now: Timestamp) -> Value {
    let tags: Vec<_> = ["a", "b", "Zoë", "zoe", "ä"].into_iter().filter(|_| dice.below(3) == 0).collect();
    let due = i64::try_from(dice.below(4_000)).expect("small") * (DAY / 1_000) - 2 * DAY;
    let due = (dice.below(4) > 0).then(|| Timestamp::from_micros(now.micros() + due).to_string());
    let priority = ["high", "medium", "low"][dice.below(3)];
    let stage = ["idea", "outline", "draft", "published"][dice.below(4)];
    json!({"title": "T", "priority": priority, "stage": stage, "completed": dice.below(2) == 0, "tags": tags, "due_date": due})
}

/// What the numbers must be, counted one by one; `offset` is the zone's, in hours.
fn counted(resource: &Resource, rows: &[Value], now: Timestamp, offset: i64) -> Value {
    let how_many = |wanted: &dyn Fn(&Value) -> bool| rows.iter().filter(|row| wanted(row)).count();
    let is = |name: &'static str, value: &'static str| how_many(&|row| row[name] == value);
    let undone = |row: &Value| {
        if resource.is_ideas() { row["stage"] != "published" } else { row["completed"] == false }
    };
    let due = |row: &Value| row["due_date"].as_str().map(|text| at(text).micros());
    let local_day = |micros: i64| (micros + offset * DAY / 24).div_euclid(DAY);
    let today = local_day(now.micros());
    let mut numbers = json!({
        "total": rows.len(),
        "by_priority": {"high": is("priority", "high"), "medium": is("priority", "medium"), "low": is("priority", "low")},
        "overdue": how_many(&|row| undone(row) && due(row).is_some_and(|due| due < now.micros())),
        "due_today": how_many(&|row| undone(row) && due(row).is_some_and(|due| local_day(due) == today)),
    });
    if resource.is_ideas() {
        numbers["by_stage"] = json!({
            "idea": is("stage", "idea"), "outline": is("stage", "outline"),
            "draft": is("stage", "draft"), "published": is("stage", "published"),
        });
    } else {
        let completed = how_many(&|row| row["completed"] == true);
        numbers["by_status"] = json!({"pending": rows.len() - completed, "completed": completed});
    }
    numbers
}

fn counted_tags(rows: &[Value]) -> Value {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for tag in rows.iter().flat_map(|row| row["tags"].as_array().expect("tags")) {
        *counts.entry(tag.as_str().expect("a tag")).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    // Stable: tags that are as frequent stay in the order of their letters.
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts.into_iter().map(|(tag, count)| json!({"tag": tag, "count": count})).collect()
}

async fn today_is_where_the_user_lives(world: &World) {
    let clock = Clock::held(at("2026-01-01T00:00:00Z"));
    let world = world.held(&clock).await;
    // Zone, a moment, and the day that it is then there: from, to (not in it). The last ones have 23 and 25 hours.
    for (i, (tz, now, start, end)) in [
        ("", "2026-11-20T12:00:00Z", "2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z"),
        ("?tz=UTC", "2026-11-20T23:59:59.999999Z", "2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z"),
        ("?tz=Asia/Karachi", "2026-11-20T18:59:59Z", "2026-11-19T19:00:00Z", "2026-11-20T19:00:00Z"),
        ("?tz=Asia/Karachi", "2026-11-20T19:00:00Z", "2026-11-20T19:00:00Z", "2026-11-21T19:00:00Z"),
        ("?tz=america%2Fst_johns", "2026-11-20T12:00:00Z", "2026-11-20T03:30:00Z", "2026-11-21T03:30:00Z"),
        ("?tz=Europe/Berlin", "2026-03-29T10:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"),
        ("?tz=Europe/Berlin", "2026-10-25T10:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),
    ]
    .into_iter()
    .enumerate()
    {
        clock.set(at(now));
        let user = world.user(&format!("user-{i}"));
        let due =
            |border: &str, micros: i64| Timestamp::from_micros(at(border).micros() + micros).to_string();
        let dues = [due(start, -1), due(start, 0), due(end, -1), due(end, 0)];
        let past = dues.iter().filter(|due| at(due) < at(now)).count();
        for resource in [user.v1_tasks(), user.ideas()] {
            for due in &dues {
                resource.create(json!({"title": "Open", "due_date": due})).await.is(201);
                let done = json!({"title": "Done", "due_date": due, "completed": true, "stage": "published"});
                resource.create(done).await.is(201);
            }
            resource.create(json!({"title": "Whenever"})).await.is(201);
            let numbers = stats(&user, resource.kind, tz).await;
            assert_eq!(
                (&numbers["total"], &numbers["due_today"]),
                (&json!(9), &json!(2)),
                "{tz} {now}: {numbers}"
            );
            assert_eq!(numbers["overdue"], past, "{tz} {now}");
        }
    }
}

async fn who_has_nothing_has_every_number(world: &World) {
    let (ann, bob) = (world.user("ann"), world.user("bob"));
    bob.tasks().create(json!({"title": "Bob's", "tags": ["bob's"]})).await.is(201);
    let by_priority = json!({"high": 0, "medium": 0, "low": 0});
    let tasks = json!({"total": 0, "by_status": {"pending": 0, "completed": 0}, "by_priority": by_priority, "overdue": 0, "due_today": 0});
    assert_eq!(stats(&ann, "tasks", "").await, tasks);
    let by_stage = json!({"idea": 0, "outline": 0, "draft": 0, "published": 0});
    let ideas =
        json!({"total": 0, "by_stage": by_stage, "by_priority": by_priority, "overdue": 0, "due_today": 0});
    assert_eq!(stats(&ann, "ideas", "").await, ideas);
    for path in ["/api/v1/tasks/tags", "/api/v1/ann/ideas/tags", "/api/v1/me/tasks/tags"] {
        assert_eq!(ann.get(path).await.is(200), json!([]), "{path}");
    }
    // They were malformed ids; in the todo contract they still are.
    ann.get("/api/tasks/stats").await.is(422);
    ann.get("/api/v1/tasks/statistics").await.is(422);
    ann.delete("/api/v1/tasks/stats").await.is(405);
}

async fn tags_follow_their_rows(world: &World) {
    let ann = world.user("ann");
    for (resource, other) in [(ann.v1_tasks(), "ideas"), (ann.ideas(), "tasks")] {
        let tags = async || ann.get(&format!("{}/tags", resource.base)).await.is(200);
        let first = resource.create(json!({"title": "A", "tags": ["film", "blog"]})).await.is(201);
        let second = resource.create(json!({"title": "B", "tags": ["film"]})).await.is(201);
        assert_eq!(tags().await, json!([{"tag": "film", "count": 2}, {"tag": "blog", "count": 1}]));
        resource.patch(&second["id"], json!({"tags": ["blog", "audio"]})).await.is(200);
        assert_eq!(
            tags().await,
            json!([{"tag": "blog", "count": 2}, {"tag": "audio", "count": 1}, {"tag": "film", "count": 1}])
        );
        resource.delete(&first["id"]).await;
        assert_eq!(tags().await, json!([{"tag": "audio", "count": 1}, {"tag": "blog", "count": 1}]));
        resource.delete(&second["id"]).await;
        assert_eq!(tags().await, json!([]));
        assert_eq!(ann.get(&format!("/api/v1/{other}/tags")).await.is(200), json!([]));
    }
}

async fn what_is_no_zone_is_told(world: &World) {
    let ann = world.user("ann");
    for kind in ["tasks", "ideas"] {
        for bad in ["", "Karachi", "%2B05:00", "Asia/Karachi%20", "Mars%2FOlympus", "..%2F..%2Fetc%2Fpasswd"]
        {
            let answer = ann.get(&format!("/api/v1/{kind}/stats?tz={bad}")).await;
            answer.complains(&[("tz", "tz must be an IANA time zone such as Asia/Karachi")]);
        }
        let twice = ann.get(&format!("/api/v1/{kind}/stats?tz=UTC&tz=UTC")).await;
        twice.complains(&[("tz", "tz must be given once")]);
        ann.get(&format!("/api/v1/{kind}/stats?tz=UTC%00")).await.complains_about("tz");
        ann.get(&format!("/api/v1/{kind}/tags?x=%00")).await.complains_about("x");
        ann.get(&format!("/api/v1/{kind}/stats?tz=%")).await.is(400);
    }
}
