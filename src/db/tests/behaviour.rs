use uuid::Uuid;

use super::*;

fn micros(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

#[tokio::test]
async fn every_kind_of_value_comes_back_as_it_went() {
    everywhere(async |bed| {
        let (uuid_type, time_type, json_type) = match bed.db.engine() {
            Engine::Postgres => ("uuid", "timestamptz", "jsonb"),
            Engine::Sqlite => ("blob", "integer", "text"),
        };
        let bool_type = if bed.db.engine() == Engine::Postgres { "boolean" } else { "integer" };
        let strict = if bed.db.engine() == Engine::Postgres { "" } else { " strict" };
        bed.raw(&format!(
            "create table @kinds (owner text, t text, u {uuid_type}, i {int}, b {bool_type}, w {time_type}, g {json_type}){strict}",
            int = if strict.is_empty() { "bigint" } else { "integer" },
        ))
        .await;
        let ann = user("ann");
        let texts = [None, Some(""), Some("naïve 👩‍👩‍👧 'quoted' \\ \n%_"), Some("日本")];
        let ints = [0, -1, i64::MAX, i64::MIN];
        // Years 0001 and 9999 and the epochs of both engines.
        let times = [None, Some(-62_135_596_800_000_000), Some(253_402_300_799_999_999), Some(0), Some(946_684_800_000_001)];
        let tags: [&[&str]; 3] = [&[], &["a", "b \"c\"", "é,"], &["x\\y", "\u{1f600}"]];
        for i in 0..20 {
            let values = [
                Value::Text(texts[i % texts.len()].map(str::to_owned)),
                Value::Uuid(Uuid::from_u128(u128::MAX - i as u128)),
                Value::Int(ints[i % ints.len()]),
                Value::Bool(i % 2 == 0),
                Value::Time(times[i % times.len()].map(micros)),
                Value::Tags(tags[i % tags.len()].iter().map(|tag| (*tag).to_owned()).collect()),
            ];
            let insert = "insert into @kinds (owner, t, u, i, b, w, g) values ($1, $2, $3, $4, $5, $6, $7) \
                          returning t, u, i, b, w, g, owner";
            let scope = bed.db.scope(&ann, soon());
            let written = scope.write(vec![always(steady(insert, values.clone()))]).await.unwrap();
            let select = "select t, u, i, b, w, g, owner from @kinds where owner = $1 and u = $2";
            let mut all = vec![written.into_iter().next().unwrap()];
            for statement in [steady(select, [values[1].clone()]), fresh(select, [values[1].clone()])] {
                all.push(scope.read(statement).await.unwrap());
            }
            for rows in all {
                let row = &rows[0];
                assert_eq!(rows.len(), 1);
                assert_eq!(Value::Text(row.opt_text(0).unwrap()), values[0]);
                assert_eq!(Value::Uuid(row.uuid(1).unwrap()), values[1]);
                assert_eq!(Value::Int(row.int(2).unwrap()), values[2]);
                assert_eq!(Value::Bool(row.bool(3).unwrap()), values[3]);
                assert_eq!(Value::Time(row.opt_time(4).unwrap()), values[4]);
                assert_eq!(Value::Tags(row.tags(5).unwrap()), values[5]);
                assert_eq!(row.text(6).unwrap(), "ann");
                assert!(matches!(row.text(1), Err(DbError::Fault(_))));
                assert!(matches!(row.int(9), Err(DbError::Fault(_))));
                assert_eq!(row.time(4).is_ok(), row.opt_time(4).unwrap().is_some());
            }
        }
    })
    .await;
}

#[tokio::test]
async fn ten_parameters_keep_their_places() {
    everywhere(async |bed| {
        let ann = user("ann");
        let sql = "select $10, $2, $1, $11, $9, '$3 @things', $3, $4, $5, $6, $7, $8 from (select 1 as one) x where 1 = 1";
        // PostgreSQL wants to know the kind of a bare parameter: it is told.
        let params: Vec<Value> = (2..=11).map(|i| text(&format!("p{i}"))).collect();
        for statement in [steady(sql, params.clone()), fresh(sql, params.clone())] {
            let rows = bed.db.scope(&ann, soon()).read(statement).await.unwrap();
            let got: Vec<String> = (0..7).map(|i| rows[0].text(i).unwrap()).collect();
            assert_eq!(got, ["p10", "p2", "ann", "p11", "p9", "$3 @things", "p3"]);
        }
    })
    .await;
}

#[tokio::test]
async fn a_failing_step_undoes_its_write_and_no_other() {
    everywhere(async |bed| {
        let ann = user("ann");
        let scope = bed.db.scope(&ann, soon());
        scope.write(vec![always(insert("first", 1))]).await.unwrap();
        let error =
            scope.write(vec![always(insert("second", 2)), always(insert("first", 3))]).await.unwrap_err();
        assert!(matches!(error, DbError::Fault(_)), "{error}");
        let error =
            scope.write(vec![always(insert("third", 1)), always(insert("secret", 5000))]).await.unwrap_err();
        assert!(matches!(error, DbError::Fault(_)), "{error}");
        assert!(!error.to_string().contains("secret") && !error.to_string().contains("5000"), "{error}");
        let error = scope.write(vec![always(insert("first", 4))]).await.unwrap_err();
        assert!(matches!(error, DbError::Fault(_)), "{error}");
        scope.write(vec![always(insert("last", 5)), always(insert("more", 5))]).await.unwrap();
        assert_eq!(bed.names("ann").await, ["first", "last", "more"]);
    })
    .await;
}

#[tokio::test]
async fn a_failing_write_in_a_group_leaves_the_others() {
    everywhere(async |bed| {
        let writes = (0..60).map(|i| {
            let db = bed.db.clone();
            tokio::spawn(async move {
                let owner = user(if i % 3 == 0 { "bob" } else { "ann" });
                // Every third one breaks the check; its first step must leave nothing.
                let steps = vec![
                    always(insert(&format!("a{i:02}"), i)),
                    always(insert(&format!("b{i:02}"), i % 3 * 500)),
                ];
                (i, db.scope(&owner, soon()).write(steps).await)
            })
        });
        let mut good = Vec::new();
        for (i, result) in futures_util::future::join_all(writes).await.into_iter().map(Result::unwrap) {
            assert_eq!(result.is_ok(), i % 3 != 2, "{i}: {result:?}");
            if let Ok(rows) = result {
                assert_eq!(rows[0][0].text(0).unwrap(), format!("a{i:02}"));
                if i % 3 == 1 {
                    good.extend([format!("a{i:02}"), format!("b{i:02}")]);
                }
            }
        }
        good.sort();
        assert_eq!(bed.names("ann").await, good);
        assert_eq!(bed.names("bob").await.len(), 40);
    })
    .await;
}

#[tokio::test]
async fn steps_run_by_what_came_before() {
    everywhere(async |bed| {
        let ann = user("ann");
        let scope = bed.db.scope(&ann, soon());
        let set = |n: i64| {
            let update = steady(
                "update @things set n = $2 where owner = $1 and name = 'x' returning n",
                [Value::Int(n)],
            );
            vec![
                always(update),
                Step { statement: insert("x", n), when: When::NoRows(0) },
                Step { statement: insert(&format!("after{n}"), n), when: When::Rows(0) },
                Step { statement: insert(&format!("both{n}"), n), when: When::Rows(2) },
            ]
        };
        let rows = scope.write(set(1)).await.unwrap();
        assert_eq!(rows.iter().map(Vec::len).collect::<Vec<_>>(), [0, 1, 0, 0]);
        let rows = scope.write(set(2)).await.unwrap();
        assert_eq!(rows.iter().map(Vec::len).collect::<Vec<_>>(), [1, 0, 1, 1]);
        assert_eq!(bed.names("ann").await, ["after2", "both2", "x"]);
        // A later step that fails undoes the earlier waves too.
        let mut steps = set(3);
        steps.push(Step { statement: insert("x", 3), when: When::Rows(3) });
        assert!(matches!(scope.write(steps).await, Err(DbError::Fault(_))));
        assert_eq!(bed.names("ann").await, ["after2", "both2", "x"]);
        let forward = vec![Step { statement: insert("y", 1), when: When::Rows(0) }];
        assert!(matches!(scope.write(forward).await, Err(DbError::Fault(_))));
    })
    .await;
}

#[tokio::test]
async fn a_judge_has_the_last_word() {
    everywhere(async |bed| {
        let ann = user("ann");
        let scope = bed.db.scope(&ann, soon());
        // As many rows as there are names, or nothing.
        let judged = |names: &[&str], at_most: usize| {
            let steps: Vec<Step> = names.iter().map(|name| always(insert(name, 1))).collect();
            let judge = Judge::new(move |rows| {
                Ok(match rows.iter().map(Vec::len).sum::<usize>() {
                    0 => return Err(DbError::Fault("no rows to judge".to_owned())),
                    many if many > at_most => Verdict::RollBack,
                    few => Verdict::Commit(vec![insert(&format!("judged {few}"), 2)]),
                })
            });
            scope.write_judged(steps, judge)
        };
        let (rows, committed) = judged(&["a"], 1).await.unwrap();
        assert_eq!((rows.len(), rows[0].len(), committed), (1, 1, true));
        let (rows, committed) = judged(&["b", "c"], 1).await.unwrap();
        assert_eq!((rows.len(), rows[1].len(), committed), (2, 1, false), "the rows are told, and gone");
        assert!(matches!(judged(&[], 1).await, Err(DbError::Fault(_))));
        // What the judge adds may fail as well: then nothing stays.
        assert!(matches!(judged(&["d"], 1).await, Err(DbError::Fault(_))), "judged 1 is there already");
        assert_eq!(bed.names("ann").await, ["a", "judged 1"]);
        let others = futures_util::future::join_all((0..40).map(|i| {
            let db = bed.db.clone();
            tokio::spawn(async move {
                let bob = user("bob");
                let judge = Judge::new(move |_| {
                    Ok(if i % 2 == 0 { Verdict::RollBack } else { Verdict::Commit(Vec::new()) })
                });
                db.scope(&bob, soon()).write_judged(vec![always(insert(&format!("{i}"), i))], judge).await
            })
        }))
        .await;
        for (i, other) in others.into_iter().enumerate() {
            assert_eq!(other.unwrap().unwrap().1, i % 2 == 1);
        }
        assert_eq!(bed.names("bob").await.len(), 20, "each judged for itself, whoever shares its commit");
    })
    .await;
}

#[tokio::test]
async fn several_reads_answer_in_their_order() {
    everywhere(async |bed| {
        let ann = user("ann");
        let scope = bed.db.scope(&ann, soon());
        scope.write(vec![always(insert("a", 1)), always(insert("b", 2))]).await.unwrap();
        let list = "select name from @things where owner = $1 order by name limit $2";
        let count = "select count(*) from @things where owner = $1";
        for plan in [Plan::Steady, Plan::Fresh] {
            let mut statements =
                vec![steady(list, [Value::Int(1)]), steady(count, []), steady(list, [Value::Int(9)])];
            statements[1].plan = plan;
            let results = scope.read_all(statements).await.unwrap();
            assert_eq!(results[0].len(), 1);
            assert_eq!(results[1][0].int(0).unwrap(), 2);
            assert_eq!(results[2].len(), 2);
        }
        assert!(scope.read_all(Vec::new()).await.unwrap().is_empty());
        let mut wrong =
            vec![steady(list, [Value::Int(1)]), steady("select name from @things where owner = $1 and", [])];
        wrong[0].plan = Plan::Fresh;
        assert!(matches!(scope.read_all(wrong).await, Err(DbError::Fault(_))));
    })
    .await;
}

#[tokio::test]
async fn missing_tables_and_columns_mean_that_migrations_are_pending() {
    everywhere(async |bed| {
        let ann = user("ann");
        let scope = bed.db.scope(&ann, soon());
        let mut missing = vec![
            "select name from @nowhere where owner = $1",
            "select absent from @things where owner = $1",
            "insert into @nowhere (owner) values ($1)",
            "insert into @things (owner, absent) values ($1, 1)",
            "update @things set absent = 1 where owner = $1",
        ];
        if bed.db.engine() == Engine::Postgres {
            missing.push("select no_such_schema.f($1)");
        }
        for sql in missing {
            let mut results = vec![
                scope.write(vec![always(steady(sql, []))]).await.map(drop),
                scope.write(vec![always(insert("x", 1)), always(steady(sql, []))]).await.map(drop),
            ];
            if sql.starts_with("select") {
                results.push(scope.read(steady(sql, [])).await.map(drop));
                results.push(scope.read(fresh(sql, [])).await.map(drop));
            }
            for result in results {
                let pending = |text: &str| text.ends_with("; migrations are pending");
                assert!(
                    matches!(&result, Err(DbError::Unavailable(text)) if pending(text)),
                    "{sql}: {result:?}"
                );
            }
        }
        assert_eq!(bed.names("ann").await, [""; 0]);
        // They are there soon after.
        bed.raw("create table @nowhere (owner text, name text)").await;
        scope.write(vec![always(steady("insert into @nowhere (owner) values ($1)", []))]).await.unwrap();
        assert_eq!(
            scope.read(steady("select name from @nowhere where owner = $1", [])).await.unwrap().len(),
            1
        );
    })
    .await;
}

#[tokio::test]
async fn parameters_that_do_not_fit_change_nothing() {
    everywhere(async |bed| {
        let ann = user("ann");
        let scope = bed.db.scope(&ann, soon());
        let sql = "insert into @things (owner, name, n) values ($1, $2, $3)";
        let few = vec![always(insert("a", 1)), always(steady(sql, [text("b")]))];
        assert!(matches!(scope.write(few).await, Err(DbError::Fault(_))));
        assert_eq!(bed.names("ann").await, [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn a_deadline_in_the_past_and_a_closed_database_are_unavailable() {
    everywhere(async |bed| {
        let ann = user("ann");
        let past = bed.db.scope(&ann, Instant::now());
        assert!(matches!(
            past.read(steady("select 1 where $1 = ''", [])).await,
            Err(DbError::Unavailable(_))
        ));
        assert!(matches!(past.write(vec![always(insert("late", 1))]).await, Err(DbError::Unavailable(_))));
        assert_eq!(bed.names("ann").await, [""; 0]);
        bed.db.ping(soon()).await.unwrap();
        bed.db.close().await;
        let scope = bed.db.scope(&ann, soon());
        assert!(matches!(
            scope.read(steady("select 1 where $1 = ''", [])).await,
            Err(DbError::Unavailable(_))
        ));
        assert!(matches!(scope.write(vec![always(insert("late", 1))]).await, Err(DbError::Unavailable(_))));
        assert!(matches!(bed.db.ping(soon()).await, Err(DbError::Unavailable(_))));
    })
    .await;
}
