//! Rows that share an id: none is taken for another one, and a dry run says so beforehand.

use serde_json::json;

use crate::harness::{Old, World, import, on_both};

on_both!(
    a_second_table_with_the_same_ids_is_no_first_one,
    one_id_in_two_spellings_is_refused,
    a_dry_run_foretells_what_collides,
);

const OTHER_TITLE: &str = "a row of this user with this id is there under another title: it is another row, or was \
                           renamed; nothing was changed";

async fn a_second_table_with_the_same_ids_is_no_first_one(world: &World) {
    for old in Old::both().await {
        let world = world.another(&[]).await;
        let both = "create table notes (id integer primary key, user_id text, title text);
                    create table lines (id integer primary key, user_id text, title text);
                    create table days (id integer primary key, user_id text, title text, created_at text);
                    create table nights (id integer primary key, user_id text, title text, created_at text);
                    insert into notes values (1, 'ann', 'a'), (2, 'ann', 'same');
                    insert into lines values (1, 'ann', 'b'), (2, 'ann', 'same'), (3, 'ann', 'new');
                    insert into days values (1, 'bob', 'a', '2026-01-01'), (2, 'bob', 'b', '2026-01-01');
                    insert into nights values (1, 'bob', 'c', '2026-01-01'), (2, 'bob', 'b', '2026-01-02')";
        old.run(both, both).await;
        for kind in ["tasks", "ideas"] {
            let take = |table: &str| {
                let args = ["--table", table, "--as", kind];
                let dry = import(&world, &old, &[&args[..], &["--dry-run"]].concat());
                let ran = import(&world, &old, &args);
                assert_eq!((dry.sums(), dry.refused(), dry.code), (ran.sums(), ran.refused(), ran.code));
                ran
            };
            assert_eq!(take("notes").code, Some(0));
            let lines = take("lines");
            assert_eq!((lines.code, &lines.sums()[..4]), (Some(1), &[3, 1, 1, 1][..]), "{lines:?}");
            assert_eq!(lines.refused(), [format!("row 1: id: {OTHER_TITLE}")]);
            assert_eq!(take("days").code, Some(0));
            let nights = take("nights");
            let later = "row 2: id: another row of this user has this id, made at another time";
            assert_eq!(nights.refused(), [&format!("row 1: id: {OTHER_TITLE}"), later]);
        }
        // A row that was renamed here since is known by its time; without one nobody can tell.
        let (ann, bob) = (world.user("ann"), world.user("bob"));
        ann.tasks().patch(&json!(1), json!({"title": "renamed"})).await.is(200);
        ann.tasks().patch(&json!(2), json!({"completed": true})).await.is(200);
        bob.tasks().patch(&json!(1), json!({"title": "renamed"})).await.is(200);
        assert_eq!(import(&world, &old, &["--table", "days"]).sums(), [2, 0, 2, 0, 0]);
        let notes = import(&world, &old, &["--table", "notes"]);
        assert_eq!(
            (notes.sums(), notes.refused()),
            ([2, 0, 1, 1, 0], vec![&*format!("row 1: id: {OTHER_TITLE}")])
        );
        assert_eq!(ann.tasks().titles("sort=title&order=asc").await, ["new", "renamed", "same"]);
    }
}

async fn one_id_in_two_spellings_is_refused(world: &World) {
    let (short, long) = ("0198c2a47d1f4abc8def000000000001", "0198c2a4-7d1f-4abc-8def-000000000001");
    let numbers = "with recursive n(n) as (select 1 union all select n + 1 from n where n < 700)";
    let both = format!(
        "create table tasks (id text primary key, user_id text, title text);
         insert into tasks {numbers} select '1x' || n, 'ann', 'between' from n;
         insert into tasks values ('{short}', 'ann', 'same'), ('{upper}', 'ann', 'same'), ('{long}', 'bob', 'his'), \
         ('2', 'bob', 'two'), (' 2', 'bob', 'two')",
        upper = long.to_uppercase().replace("0198C2A4", "{0198C2A4") + "}",
    );
    for old in Old::both().await {
        let world = world.another(&[]).await;
        old.run(&both, &both).await;
        for args in [&["--dry-run"][..], &[]] {
            let ran = import(&world, &old, args);
            assert_eq!((ran.code, ran.sums()), (Some(1), [705, 703, 0, 2, 2]), "{args:?} {ran:?}");
            assert!(
                ran.refused()
                    .iter()
                    .all(|line| line.ends_with(": id: an earlier row of this table has this id"))
            );
        }
        assert_eq!(import(&world, &old, &[]).sums(), [705, 0, 703, 2, 0]);
    }
}

async fn a_dry_run_foretells_what_collides(world: &World) {
    let numbers = "with recursive n(n) as (select 1 union all select n + 1 from n where n < 600)";
    let both = format!(
        "create table tasks (id text primary key, user_id text, title text, created_at text);
         insert into tasks {numbers} select 'b' || n, 'a', 'between', '2026-01-02' from n;
         insert into tasks {numbers} select '0' || n, 'b', 'other', '2026-01-03' from n;
         insert into tasks values ('7', 'a', 'seven', '2026-01-01'), ('007', 'a', 'seven', '2026-01-03'), \
         ('3', 'b', ' ', '2026-01-01'), ('x', 'b', 'no number', '2026-01-04'), ('+7', 'c', 'seven', '2026-01-01')"
    );
    for old in Old::both().await {
        let world = world.another(&[]).await;
        old.run(&both, &both).await;
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("users.csv");
        std::fs::write(&file, "old,new\na,ann\nb,ann\nc,bob\n").expect("a file");
        let args = ["--user-map", file.to_str().expect("a path")];
        let dry = import(&world, &old, &[&args[..], &["--dry-run"]].concat());
        assert_eq!((dry.code, dry.sums()), (Some(1), [1205, 1202, 0, 3, 2]), "{dry:?}");
        let ran = import(&world, &old, &args);
        assert_eq!((dry.sums(), dry.refused()), (ran.sums(), ran.refused()));
        let again = import(&world, &old, &args);
        assert_eq!(again.sums(), [1205, 0, 1202, 3, 0], "{again:?}");
    }
}
