//! Many rows: broken off and gone on with, in little memory.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{Engine, Old, World, command, import, on_both};

on_both!(twenty_thousand_rows_broken_off_and_gone_on_with);

const ROWS: i64 = 20_000;

/// The most memory that the process has had, in KiB.
fn peak(child: &Child) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

async fn twenty_thousand_rows_broken_off_and_gone_on_with(world: &World) {
    let numbers = "with recursive n(n) as (select 1 union all select n + 1 from n where n < 20000)";
    let both = format!(
        "create table tasks (id integer primary key, user_id text, title text, tags text, created_at text);
         insert into tasks {numbers} select n, 'user ' || (n % 7), 'Task ' || n, 'a,b' || (n % 100), \
         '2026-01-' || (10 + n % 20) || ' 00:00:00' from n"
    );
    for old in Old::both().await {
        let world = world.another(&[]).await;
        old.run(&both, &both).await;
        let behind = world.behind().await;
        let url = old.url();
        let mut first = command(&world, &["import", "--from", &url]);
        let mut child = first.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
        let begun = Instant::now();
        while behind.number("select count(*) from @tasks").await == 0 {
            assert!(begun.elapsed() < Duration::from_secs(60), "nothing is taken");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        // At least a batch, and a server that goes on serving meanwhile.
        let ann = world.user("ann");
        ann.tasks().create(json!({"title": "meanwhile"})).await.is(201);
        child.kill().expect("it can be ended");
        child.wait().expect("it has ended");
        let taken = behind.number("select count(*) from @tasks").await - 1;
        assert!(taken > 0, "{taken}");

        let mut second = command(&world, &["import", "--from", &url]);
        let mut child = second.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
        let mut most = 0;
        let ended = loop {
            most = most.max(peak(&child).unwrap_or_default());
            if let Some(status) = child.try_wait().expect("a child") {
                break status;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        assert!(ended.success());
        assert!(most < 150_000, "{most} KiB");
        let again = import(&world, &old, &[]);
        assert_eq!(again.sums(), [ROWS, 0, ROWS, 0, 0], "{again:?}");
        assert_eq!(behind.number("select count(*) from @tasks").await, ROWS + 1);
        assert_eq!(behind.number("select count(*) from @task_tags").await, 2 * ROWS);
        let next = "select count(*) from @users as u where u.id <> 'ann' and next_task <> \
                    (select max(number) + 1 from @tasks as t where t.user_id = u.id)";
        assert_eq!(behind.number(next).await, 0);
        if world.engine == Engine::Sqlite {
            assert_eq!(behind.number("select count(*) from pragma_foreign_key_check").await, 0);
        }
    }
}
