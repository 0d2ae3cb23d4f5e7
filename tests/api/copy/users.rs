//! What each user's rows come to.

use std::collections::BTreeMap;
use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Value, json};

use super::{Move, Ran, rows};

fn hex(text: &str) -> String {
    digest(&SHA256, text.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The lines of a list, with what they come to together.
fn read(path: &Path) -> (Vec<Value>, String) {
    let text = std::fs::read_to_string(path).expect("a list");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let word = |line: &Value, name: &str| line[name].as_str().expect("a text").to_owned();
    let of = |line: &Value| {
        let [table, user, sum] = ["table", "user", "sha256"].map(|name| word(line, name));
        format!("{table}\t{user}\t{}\t{sum}\n", line["rows"])
    };
    let all = lines.iter().map(of).collect::<String>();
    (lines, hex(&all))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_user_and_table_has_a_line_and_together_they_are_the_checksum() {
    let pair = Move::new().await;
    for (name, count) in [("ann", 2), ("Zoë/☕", 3)] {
        for _ in 0..count {
            pair.from.user(name).tasks().create(json!({"title": "canary", "tags": ["a", "b"]})).await.is(201);
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    let list = |name: &str| folder.path().join(name);
    let run = |args: &[&str], name: &str| {
        let mut command = pair.command(args, "");
        Ran::from(command.arg("--users").arg(list(name)).spawn().expect("it starts"))
    };
    let ran = run(&["--json"], "copied");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let report: Value = serde_json::from_str(&ran.out).expect("JSON");
    let (lines, all) = read(&list("copied"));
    assert_eq!(report["checksum"], all);
    let mut counts = BTreeMap::new();
    for line in &lines {
        assert_eq!(line.as_object().map(serde_json::Map::len), Some(4), "{line}");
        counts.insert((line["user"].as_str(), line["table"].as_str()), line["rows"].as_u64());
    }
    let (ann, zoe) = (Some("ann"), Some("Zoë/☕"));
    let expected = [
        ((ann, Some("users")), Some(1)),
        ((ann, Some("tasks")), Some(2)),
        ((ann, Some("task_tags")), Some(4)),
        ((zoe, Some("users")), Some(1)),
        ((zoe, Some("tasks")), Some(3)),
        ((zoe, Some("task_tags")), Some(6)),
    ];
    assert_eq!((lines.len(), counts), (6, BTreeMap::from(expected)));
    // The documented line of a row.
    let tags = pair.from.user("ann").tasks().rows("").await;
    let mut ids: Vec<_> = tags.iter().map(|task| task["id"].as_str().expect("an id")).collect();
    ids.sort_unstable();
    let row = |tag: &str, id: &str| format!("3:ann1:{tag}36:{id}\n");
    let by_hand: String = ["a", "b"].iter().flat_map(|tag| ids.iter().map(|id| row(tag, id))).collect();
    let line = lines.iter().find(|line| line["user"] == "ann" && line["table"] == "task_tags");
    assert_eq!(line.expect("a line")["sha256"], hex(&by_hand));

    // The same from --verify, over the same file; and it is the source that the list is about.
    pair.to.user("ann").tasks().create(json!({"title": "Later"})).await.is(201);
    assert_eq!(run(&["--verify"], "copied").code, Some(1));
    assert_eq!(read(&list("copied")), (lines, all));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_cannot_be_written_copies_nothing_and_overwrites_no_other_file() {
    let pair = Move::new().await;
    pair.from.user("ann").tasks().create(json!({"title": "Mine"})).await.is(201);
    let file = super::variable(&pair.from, "DATABASE_URL").replace("sqlite://", "");
    for (path, text) in [
        (file.as_str(), "is there already and is no list of users; nothing was copied: name another file"),
        ("/nowhere/users.jsonl", "--users: /nowhere/users.jsonl cannot be written"),
        ("/dev/full", "--users: /dev/full cannot be written"),
    ] {
        let ran = pair.run(&["--users", path]);
        assert!(ran.code == Some(1) && ran.err.contains(text), "{ran:?}");
        assert!(ran.err.contains("nothing was copied"), "{ran:?}");
        assert_eq!(rows(&pair.to.behind().await).await, 0);
    }
    assert_eq!(pair.from.user("ann").tasks().rows("").await.len(), 1);
    pair.copy();
}
