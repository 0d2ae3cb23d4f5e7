//! A target whose tables have row level security, forced upon the role that copies.

use serde_json::json;

use super::{Move, bare, rows, run, strip, variable};
use crate::harness::as_role;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_owner_copies_and_is_bound_again_afterwards() {
    let pair = Move::new().await;
    for (user, title) in [("ann", "Ann's"), ("bob", "Bob's")] {
        pair.from.user(user).tasks().create(json!({"title": title, "tags": ["a"]})).await.is(201);
    }
    let behind = pair.to.behind().await;
    strip(&behind).await;
    let schema = variable(&pair.to, "DATABASE_SCHEMA");
    let role = schema.replace("test_", "owner_");
    behind.run(&format!("create role {role} login; alter schema {schema} owner to {role}")).await;
    let admin = variable(&pair.to, "DATABASE_URL");
    let owner = as_role(&admin, &role);
    let copy = |to: &str, args: &[&str]| {
        let mut command = bare();
        command.args([
            "copy",
            "--from",
            &variable(&pair.from, "DATABASE_URL"),
            "--to",
            to,
            "--schema",
            &schema,
        ]);
        command.args(args).env("DATABASE_URL", &owner).env("DATABASE_RLS", "on");
        run(command)
    };
    let copied = copy(&owner, &[]);
    assert_eq!(copied.code, Some(0), "{copied:?}");
    assert!(copied.err.contains("applied row level security to the target"), "{copied:?}");
    assert_eq!(rows(&behind).await, 6);
    let forced = format!(
        "select count(*) from pg_class where relnamespace = '{schema}'::regnamespace and relforcerowsecurity"
    );
    assert_eq!(behind.number(&forced).await, 7);
    // Rows of all users are not for whom it binds; a second copy is refused by what it cannot see either.
    let bound = copy(&owner, &["--verify"]);
    assert!(bound.code == Some(1) && bound.err.contains("bypassrls"), "{bound:?}");
    let again = copy(&owner, &[]);
    assert!(again.code == Some(1) && again.err.contains("has rows in"), "{again:?}");
    assert_eq!(behind.number(&forced).await, 7);
    behind.run(&format!("alter role {role} bypassrls")).await;
    let free = copy(&owner, &["--verify"]);
    assert_eq!(free.code, Some(0), "{free:?}");
    // The schema goes with its world, which knows nothing of this role.
    behind.run(&format!("reassign owned by {role} to current_user; drop role {role}")).await;
}
