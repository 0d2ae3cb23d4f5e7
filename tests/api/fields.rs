//! What a field may hold: lengths, tags, dates; and what a write does to the fields it does not name.

use serde_json::{Value, json};

use crate::harness::{Request, World, on_both};

on_both!(
    lengths_count_characters,
    long_texts_are_kept_as_sent,
    tags_keep_their_order,
    due_dates_are_stored_as_instants,
    wrong_due_dates_are_refused,
    what_the_server_decides_is_ignored,
    null_clears_or_is_refused,
    a_patch_without_effect_changes_nothing,
    a_put_always_counts,
);

async fn lengths_count_characters(world: &World) {
    let ann = world.user("ann");
    for resource in ann.resources() {
        let longest = if resource.is_ideas() { 200 } else { 500 };
        let text = format!("Title exceeds maximum length of {longest} characters");
        for unit in ["a", "é", "e\u{301}", "字", "👨\u{200d}👩\u{200d}👧", "𝒳"] {
            let scalars = unit.chars().count();
            let full = unit.repeat(longest / scalars);
            let kept = resource.create(json!({"title": format!("  {full}  ")})).await.is(201);
            assert_eq!(kept["title"], full, "the blanks around it do not count");
            assert_eq!(resource.read(&kept["id"]).await.is(200), kept);
            let over = full + &"x".repeat(longest % scalars + 1);
            resource.create(json!({ "title": over })).await.complains(&[("title", text.as_str())]);
            resource
                .patch(&kept["id"], json!({ "title": over }))
                .await
                .complains(&[("title", text.as_str())]);
        }
    }
}

async fn long_texts_are_kept_as_sent(world: &World) {
    let ann = world.user("ann");
    for resource in ann.resources() {
        let name = resource.long_text();
        for unit in ["a", "é", "字", "👨\u{200d}👩\u{200d}👧"] {
            let full = unit.repeat(5_000 / unit.chars().count());
            let kept = resource.create(json!({"title": "T", (name): full})).await.is(201);
            assert_eq!(kept[name], full);
            resource.create(json!({"title": "T", (name): full + " "})).await.complains_about(name);
        }
        for text in ["", " ", "  two\r\nlines\t ", "\u{feff}mark", "<b>&amp;</b>", "\u{2028}"] {
            let kept = resource.create(json!({"title": "T", (name): text})).await.is(201);
            assert_eq!(kept[name], text);
            assert_eq!(resource.read(&kept["id"]).await.is(200), kept);
        }
    }
}

async fn tags_keep_their_order(world: &World) {
    let ann = world.user("ann");
    for resource in ann.resources() {
        let sent = json!([" b ", "a", "B", "b", "a", "é", "e\u{301}", "100%_\\'\""]);
        let kept = resource.create(json!({"title": "T", "tags": sent})).await.is(201);
        assert_eq!(kept["tags"], json!(["b", "a", "B", "é", "e\u{301}", "100%_\\'\""]));
        assert_eq!(resource.read(&kept["id"]).await.is(200), kept);

        let many: Vec<_> = (0..20).map(|i| format!("{i:0>50}")).collect();
        let full = resource.patch(&kept["id"], json!({ "tags": many })).await.is(200);
        assert_eq!(full["tags"], json!(many));
        let more: Vec<_> = (0..21).map(|i| i.to_string()).collect();
        let wrong = [
            json!(more),
            json!(["x".repeat(51)]),
            json!(["é".repeat(51)]),
            json!([""]),
            json!(["  "]),
            json!(["a,b"]),
        ];
        for tags in wrong.into_iter().chain([json!("a"), json!({"0": "a"}), json!([["a"]]), json!([null])]) {
            resource.patch(&kept["id"], json!({ "tags": tags })).await.complains_about("tags");
            resource.create(json!({"title": "T", "tags": tags})).await.complains_about("tags");
        }
        assert_eq!(resource.read(&kept["id"]).await.is(200), full);
    }
}

async fn due_dates_are_stored_as_instants(world: &World) {
    let ann = world.user("ann");
    let accepted = [
        ("2026-03-01", "2026-03-01T00:00:00"),
        ("2026-03-01T10:30:00", "2026-03-01T10:30:00"),
        ("2026-03-01T10:30:00Z", "2026-03-01T10:30:00"),
        ("2026-03-01T10:30:00+05:00", "2026-03-01T05:30:00"),
        ("2026-03-01T10:30:00+16:00", "2026-02-28T18:30:00"),
        ("2026-03-01T10:30:00+23:59", "2026-02-28T10:31:00"),
        ("2026-03-01T10:30:00-23:59", "2026-03-02T10:29:00"),
        ("2026-03-01T10:30:00.5Z", "2026-03-01T10:30:00.5"),
        ("2026-03-01T10:30:00.123456Z", "2026-03-01T10:30:00.123456"),
        ("2026-03-01T10:30:00.999999999Z", "2026-03-01T10:30:00.999999"),
        ("2024-02-29", "2024-02-29T00:00:00"),
        ("1969-12-31T23:59:59.000001Z", "1969-12-31T23:59:59.000001"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00"),
        ("0001-01-01", "0001-01-01T00:00:00"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999"),
        ("9999-12-31T23:59:59.9999999Z", "9999-12-31T23:59:59.999999"),
        ("9999-12-31", "9999-12-31T00:00:00"),
    ];
    for resource in ann.resources() {
        for (sent, meant) in accepted {
            let kept = resource.create(json!({"title": sent, "due_date": sent})).await.is(201);
            let answered = kept["due_date"].as_str().and_then(|text| text.strip_suffix('Z'));
            let answered = answered.unwrap_or_else(|| panic!("{sent}: {}", kept["due_date"]));
            assert!(answered.split_once('.').is_none_or(|(_, decimals)| decimals.len() <= 6), "{answered}");
            let (answered, meant): (jiff::civil::DateTime, jiff::civil::DateTime) =
                (answered.parse().expect("RFC 3339"), meant.parse().expect("as written here"));
            assert_eq!(answered, meant, "{sent}");
            assert_eq!(resource.read(&kept["id"]).await.is(200), kept, "{sent}");
            let echoed = json!({"title": sent, "due_date": kept["due_date"]});
            let again = resource.patch(&kept["id"], echoed).await.is(200);
            assert_eq!(again, kept, "{sent}: its own echo changes nothing");
        }
    }
}

async fn wrong_due_dates_are_refused(world: &World) {
    let ann = world.user("ann");
    let wrong = [
        "0000-01-01",
        "10000-01-01",
        "-0001-01-01",
        "2026-02-29",
        "2026-02-30",
        "2026-13-01",
        "2026-00-10",
        "2026-1-2",
        "2026-03-01T24:00:00Z",
        "2026-03-01T10:30:60Z",
        "2016-12-31T23:59:60Z",
        "9999-12-31T23:59:60Z",
        "2026-03-01T10:60:00Z",
        "2026-03-01T10:30:00+24:00",
        "2026-03-01T10:30:00+05:60",
        "2026-03-01T10:30:00+5",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "9999-12-31T23:59:60.5Z",
        "tomorrow",
        "",
        " ",
        "2026-03-01T10:30:00Z tomorrow",
        "2026-03-01T10:30:00.Z",
        "1772361000",
        "2026-03-01T10:30:00[Europe/Berlin]",
    ];
    for resource in ann.resources() {
        let id = resource.create(json!({"title": "T"})).await.is(201)["id"].clone();
        for text in wrong {
            resource.create(json!({"title": "T", "due_date": text})).await.complains_about("due_date");
        }
        for value in [json!(1_772_361_000), json!(true), json!(["2026-03-01"]), json!({})] {
            resource.patch(&id, json!({ "due_date": value })).await.complains_about("due_date");
        }
    }
}

async fn what_the_server_decides_is_ignored(world: &World) {
    let ann = world.user("ann");
    for resource in ann.resources() {
        let mut decided = json!({
            "user_id": "bob", "id": "01890000-0000-7000-8000-000000000000", "number": 700, "version": 70,
            "created_at": "2001-01-01T00:00:00Z", "updated_at": 5, "completed_at": "2001-01-01T00:00:00Z",
            "colour": "blue", "nested": {"title": "no"},
        });
        decided["title"] = json!("Mine");
        let row = resource.create(decided.clone()).await.is(201);
        assert_eq!(row["user_id"], "ann");
        assert_eq!(row.get("colour"), None);
        for (name, value) in decided.as_object().expect("an object") {
            assert!(name == "title" || row[name] != *value, "{name} was taken from the body");
        }
        assert_eq!(
            resource.patch(&row["id"], decided.clone()).await.is(200),
            row,
            "nothing of it is a change"
        );
        decided["completed"] = json!(false);
        let put = resource.put(&row["id"], decided).await.is(200);
        assert_eq!(
            (&put["id"], &put["user_id"], &put["created_at"]),
            (&row["id"], &row["user_id"], &row["created_at"])
        );
        assert_eq!(put.get("number"), row.get("number"));
    }
}

async fn null_clears_or_is_refused(world: &World) {
    let ann = world.user("ann");
    for resource in ann.resources() {
        let name = resource.long_text();
        let row = resource.create(json!({"title": "T", (name): "N", "due_date": "2030-01-01"})).await.is(201);
        let other = if resource.is_ideas() { "stage" } else { "completed" };
        for field in ["title", "priority", "tags", other] {
            resource.patch(&row["id"], json!({ (field): null })).await.complains_about(field);
        }
        let cleared = resource.patch(&row["id"], json!({(name): null, "due_date": null})).await.is(200);
        assert_eq!((&cleared[name], &cleared["due_date"]), (&Value::Null, &Value::Null));
        let bare = resource.create(json!({"title": "T", (name): null, "due_date": null})).await.is(201);
        assert_eq!((&bare[name], &bare["due_date"]), (&Value::Null, &Value::Null));
    }
}

async fn a_patch_without_effect_changes_nothing(world: &World) {
    let ann = world.user("ann");
    for resource in ann.resources() {
        let name = resource.long_text();
        let row = resource
            .create(json!({"title": "T", (name): "N", "priority": "high", "tags": ["a", "b"], "due_date": "2030-01-01"}))
            .await
            .is(201);
        for same in [
            json!({}),
            json!({"title": "  T "}),
            json!({ (name): "N" }),
            json!({"tags": ["a", "b", "a"]}),
            json!({"due_date": "2030-01-01T05:00:00+05:00"}),
            row.clone(),
        ] {
            assert_eq!(resource.patch(&row["id"], same.clone()).await.is(200), row, "{same}");
        }
        let merge = Request::new("PATCH", resource.path(&row["id"]));
        let merge =
            merge.header("Content-Type", "application/merge-patch+json").body(r#"{"title":"Merged"}"#);
        assert_eq!(ann.send(merge).await.is(200)["title"], "Merged");
    }
}

async fn a_put_always_counts(world: &World) {
    let ann = world.user("ann");
    for resource in ann.resources() {
        let row = resource.create(json!({"title": "T"})).await.is(201);
        let put = resource.put(&row["id"], json!({"title": "T", "completed": false})).await.is(200);
        assert!(put["version"].as_i64() > row["version"].as_i64());
        assert_ne!(put["updated_at"], row["updated_at"]);
        assert_eq!(put["created_at"], row["created_at"]);
    }
}
