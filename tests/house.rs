//! Holds the shape of the house: which way data flows, who can make a `UserId`, that rooms stay small.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Every source file, with its path below `src`, as far as it is not tests.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("src can be read") {
            let path: PathBuf = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&root).expect("below src").to_string_lossy().into_owned();
                let is_test = name.split(['/', '.']).any(|part| part == "tests" || part == "samples");
                let text = fs::read_to_string(&path).expect("a source file is text");
                if !is_test {
                    files.push((name, without_tests(&text)));
                }
            }
        }
    }
    assert!(files.len() > 20, "found only {} source files", files.len());
    files
}

/// The text up to its unit tests.
fn without_tests(text: &str) -> String {
    text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned()
}

/// The room that a file belongs to: `src/db/sqlite/writer.rs` and `src/db.rs` belong to `db`.
fn room(file: &str) -> &str {
    file.split(['/', '.']).next().unwrap_or_default()
}

/// The code without its comments.
fn code(text: &str) -> String {
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .map(|line| line.split(" // ").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n")
}

/// Every path below the crate that a file names, `auth::pem` say; a group is so many paths, to its first level.
fn paths(text: &str) -> Vec<String> {
    let path = |text: &str| -> String {
        text.trim_start().chars().take_while(|c| c.is_alphanumeric() || matches!(c, '_' | ':')).collect()
    };
    let mut paths = Vec::new();
    for after in code(text).split("crate::").skip(1) {
        let begun = path(after);
        match after[begun.len()..].strip_prefix('{') {
            Some(group) => {
                let group = group.split(';').next().unwrap_or_default();
                let mut depth = 0;
                let members = group.split(|c: char| {
                    depth += i32::from(c == '{') - i32::from(c == '}');
                    c == ',' && depth == 0 || c == '}' && depth < 0
                });
                paths.extend(
                    members
                        .map(path)
                        .filter(|member| !member.is_empty())
                        .map(|member| format!("{begun}{member}")),
                );
            }
            None => paths.push(begun),
        }
    }
    paths
}

/// The rooms and crates that a file names in its code.
fn named(text: &str) -> BTreeSet<String> {
    let mut names: BTreeSet<String> =
        paths(text).iter().filter_map(|path| path.split("::").next()).map(str::to_owned).collect();
    let code = code(text);
    for foreign in ["axum", "hyper", "utoipa_axum", "tokio_postgres", "rusqlite", "deadpool_postgres"] {
        if code.contains(&format!("{foreign}::")) {
            names.insert(foreign.to_owned());
        }
    }
    names
}

#[test]
fn paths_are_read_from_groups_too() {
    let text = "use crate::auth::{pem, keys::{PublicKey, KeyKind}, claims};\nuse crate::{app::App, db};\n\
                // use crate::api::openapi;\nlet x = crate::http::error::ApiError::Internal;";
    assert_eq!(
        paths(text),
        ["auth::pem", "auth::keys::", "auth::claims", "app::App", "db", "http::error::ApiError::Internal"]
    );
}

#[test]
fn data_flows_one_way() {
    // Room, and what it must not know.
    let web = ["axum", "hyper", "utoipa_axum"];
    let engines = ["tokio_postgres", "rusqlite", "deadpool_postgres"];
    let resources = ["tasks", "ideas", "users", "list", "change", "write"];
    let above = ["api", "app", "cli", "main"];
    let all = |groups: &[&[&'static str]]| -> Vec<&'static str> { groups.concat() };
    let rules = [
        ("tasks", all(&[&web, &engines, &above, &["ideas"]])),
        ("ideas", all(&[&web, &engines, &above, &["tasks"]])),
        ("write", all(&[&web, &engines, &above, &["tasks", "ideas", "list"]])),
        ("users", all(&[&web, &engines, &above, &["tasks", "ideas", "list", "write"]])),
        ("list", all(&[&web, &engines, &above, &["tasks", "ideas", "users", "write"]])),
        ("change", all(&[&web, &engines, &above, &["tasks", "ideas", "users", "list", "write"]])),
        ("db", all(&[&["axum", "hyper", "utoipa_axum", "http"], &resources, &above])),
        ("auth", all(&[&engines, &resources, &above, &["db"]])),
        ("field", all(&[&web, &engines, &resources, &above, &["db", "auth", "http", "config"]])),
        ("clock", all(&[&web, &engines, &resources, &above, &["db", "auth", "http", "config"]])),
        ("config", all(&[&web, &engines, &resources, &["api", "cli", "db"]])),
        (
            "traces",
            all(&[
                &web,
                &engines,
                &resources,
                &above,
                &["db", "auth", "config", "field", "clock", "metrics"],
            ]),
        ),
        (
            "metrics",
            all(&[&web, &engines, &resources, &above, &["db", "auth", "http", "config", "field", "clock"]]),
        ),
        ("http", all(&[&engines, &resources, &["api", "cli"]])),
        ("api", all(&[&engines, &["cli"]])),
    ];
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let names = named(&text);
        for (_, forbidden) in rules.iter().filter(|(name, _)| *name == room(&file)) {
            wrong.extend(
                forbidden
                    .iter()
                    .filter(|name| names.contains(**name))
                    .map(|name| format!("{file} knows {name}")),
            );
        }
    }
    assert!(wrong.is_empty(), "data flows the wrong way:\n{}", wrong.join("\n"));
}

#[test]
fn what_points_backwards_is_narrow() {
    // Files (by how their names begin), the room that they use against the flow, and all they may use of it.
    let arrows: [(&str, &str, &[&str]); 9] = [
        ("config/secret", "auth", &[]),
        ("config", "auth", &["algorithm", "claims", "keys", "pem"]),
        ("auth/algorithm", "config", &[]),
        ("auth/claims", "config", &[]),
        ("auth/keys", "config", &["Secret"]),
        ("auth/pem", "config", &[]),
        ("db", "auth", &["user_id"]),
        ("http/docs", "auth", &["dev", "mint"]),
        ("http", "auth", &["caller", "user_id", "refusal"]),
    ];
    let knows_app = ["http/server", "http/health", "http/docs", "http/metrics"];
    let mut wrong = Vec::new();
    let mut used = BTreeSet::new();
    for (file, text) in sources() {
        // The first that fits counts, so the narrower one stands first.
        for room in ["auth", "config"] {
            let fits = |(files, to, _): &&(&str, &str, &[&str])| file.starts_with(files) && *to == room;
            let Some((files, _, allowed)) = arrows.iter().find(fits) else { continue };
            let inside = paths(&text).into_iter().filter_map(|path| {
                let (first, rest) = path.split_once("::")?;
                (first == room).then(|| rest.split("::").next().unwrap_or_default().to_owned())
            });
            for part in inside {
                if allowed.contains(&part.as_str()) {
                    used.insert((*files, room, part));
                } else {
                    wrong.push(format!("{file} knows {room}::{part}"));
                }
            }
        }
        let app = room(&file) == "http" && named(&text).contains("app");
        if app && !knows_app.iter().any(|files| file.starts_with(files)) {
            wrong.push(format!("{file} knows app"));
        }
    }
    assert!(wrong.is_empty(), "these point backwards:\n{}", wrong.join("\n"));
    let permitted = arrows
        .iter()
        .flat_map(|(files, to, all)| all.iter().map(move |part| (*files, *to, (*part).to_owned())));
    let unused: Vec<_> = permitted.filter(|arrow| !used.contains(arrow)).collect();
    assert!(unused.is_empty(), "nobody needs these any more: {unused:?}");
}

#[test]
fn only_the_verifier_makes_a_user_id() {
    let (mut makers, mut found) = (Vec::new(), false);
    for (file, text) in sources() {
        if file == "auth/user_id.rs" {
            found = true;
            assert!(text.contains("pub(in crate::auth) fn verified"), "its maker is for auth alone");
            let public: Vec<_> =
                text.lines().filter(|line| line.trim_start().starts_with("pub fn ")).collect();
            assert!(public.iter().all(|line| line.contains("&self")), "another way to make one: {public:?}");
            for derived in ["Deserialize", "From<", "FromStr", "Default"] {
                assert!(!text.contains(derived), "{derived} would be another way to make one");
            }
        } else if text.contains("UserId::verified") {
            makers.push(file);
        }
    }
    assert!(found && makers == ["auth/verifier.rs"], "made in {makers:?}");
}

#[test]
fn only_admin_commands_use_the_door_past_the_tokens() {
    // Files (by how their names begin) that may reach users whom no token names, and why.
    let doors = [
        ("db.rs", "where the door stands"),
        ("db/bulk", "the door itself: it knows no table"),
        ("db/job.rs", "carries the name to the engines"),
        ("db/row.rs", "reads a value as it is"),
        ("cli/copy", "copies whole tables, the rows of every user, from one engine to the other"),
        ("cli/import", "takes the rows of another back end, whose users have sent no token"),
    ];
    for (file, text) in sources() {
        let text = code(&text);
        let reaches = text.contains("bulk") || text.contains("Owner::Told");
        assert!(!reaches || doors.iter().any(|(door, _why)| file.starts_with(door)), "{file} uses db::bulk");
        // What such a command does to our tables stands in one file, and is heard in tests/api/owner.rs.
        let ours = ["@users", "@tasks", "@ideas", "@task_tags", "@idea_tags"];
        let touches = room(&file) == "cli" && ours.iter().any(|table| text.contains(table));
        assert!(!touches || file == "cli/import/rows.rs", "{file} has a statement on our tables");
    }
}

#[test]
fn files_stay_small() {
    for (file, text) in sources() {
        let lines = text.lines().count();
        assert!(lines <= 330, "{file} has {lines} lines: split it by what it does");
    }
}

#[test]
fn both_databases_have_the_same_migrations() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let names = |engine: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(root.join(engine)).expect("the migrations can be read");
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
    };
    assert_eq!(names("postgres"), names("sqlite"));
    let all = names("sqlite");
    assert!(!all.is_empty());
    for up in all.iter().filter(|name| name.ends_with(".up.sql")) {
        assert!(all.contains(&up.replace(".up.sql", ".down.sql")), "{up} has no way down");
    }
}
