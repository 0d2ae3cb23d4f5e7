//! Several operations in one request: all of them or none, or each by itself; once under a key.

use serde_json::{Value, json};

use crate::harness::{Answer, Request, Resource, User, World, on_both, on_both_and_pooled};

on_both!(
    a_batch_does_what_its_operations_say,
    nothing_of_an_atomic_batch_stays_when_one_fails,
    otherwise_each_has_its_own_result,
    what_is_wrong_with_a_batch_is_told,
    a_batch_is_repeated_under_its_key,
    a_batch_asks_for_conditions_where_they_are_required,
    others_rows_are_out_of_reach,
    a_hundred_and_no_more,
    a_batch_may_be_answered_short,
    a_row_touched_many_times_is_kept_once,
);

on_both_and_pooled!(batches_across_each_other_all_end);

async fn batch(user: &User, resource: &Resource, body: Value) -> Answer {
    user.post(&format!("{}/batch", resource.base), body).await
}

fn both(user: &User) -> [Resource; 2] {
    [user.v1_tasks(), user.ideas()]
}

fn statuses(answer: &Value) -> Vec<i64> {
    answer["results"]
        .as_array()
        .expect("results")
        .iter()
        .map(|r| r["status"].as_i64().expect("a status"))
        .collect()
}

async fn a_batch_does_what_its_operations_say(world: &World) {
    let ann = world.user("ann");
    for resource in both(&ann) {
        let long = resource.long_text();
        let old = resource.create(json!({"title": "Old", (long): "kept", "tags": ["a"]})).await.is(201);
        let gone = resource.create(json!({"title": "Gone"})).await.is(201);
        let answer = batch(
            &ann,
            &resource,
            json!({"operations": [
                {"op": "create", "data": {"title": "First", "tags": ["x", "y"]}},
                {"op": "update", "id": old["id"], "data": {"title": "New", "tags": ["b"]}},
                {"op": "delete", "id": gone["id"]},
                {"op": "create", "data": {"title": "Second"}},
                {"op": "update", "id": old["id"], "data": {}},
            ]}),
        )
        .await
        .is(200);
        let removed = if resource.is_ideas() { 204 } else { 200 };
        assert_eq!(statuses(&answer), [201, 200, removed, 201, 200]);
        let results = &answer["results"];
        for place in [0, 1, 3] {
            let read = resource.read(&results[place]["data"]["id"]).await;
            assert_eq!(results[place]["etag"], read.header("etag").expect("an ETag"), "{place}");
            assert_eq!(results[place]["data"], read.is(200), "{place}");
        }
        assert_eq!(results[1]["data"][long], "kept");
        assert_eq!((&results[1]["data"]["version"], &results[4]["data"]), (&json!(2), &results[1]["data"]));
        resource.read(&gone["id"]).await.is(404);
        assert_eq!(resource.titles("tags=x,b&sort=title&order=asc").await, ["First", "New"]);
        assert_eq!(resource.titles("tags=a").await, [""; 0]);
        if !resource.is_ideas() {
            assert_eq!(results[2]["data"], json!({"success": true, "message": "Task deleted"}));
            assert_eq!(
                (&results[0]["data"]["number"], &results[3]["data"]["number"]),
                (&json!(3), &json!(4))
            );
            let next = resource.create(json!({"title": "After"})).await.is(201);
            assert_eq!(next["number"], 5);
            // By number, as a string or not.
            let operations =
                json!([{"op": "delete", "id": 5}, {"op": "update", "id": "4", "data": {"completed": true}}]);
            let answer = batch(&ann, &resource, json!({ "operations": operations })).await.is(200);
            assert_eq!(answer["results"][1]["data"]["completed"], true);
        }
        assert_eq!(batch(&ann, &resource, json!({"operations": []})).await.is(200), json!({"results": []}));
    }
}

async fn nothing_of_an_atomic_batch_stays_when_one_fails(world: &World) {
    let ann = world.user("ann");
    for resource in both(&ann) {
        let row = resource.create(json!({"title": "Old", "tags": ["a"]})).await.is(201);
        let before =
            (resource.rows("").await, ann.get("/api/v1/users/me").await.value()["created_at"].clone());
        let nobody = "0198c2a4-7d1f-7abc-8def-0123456789ab";
        for (failing, status, index) in [
            (json!({"op": "update", "id": nobody, "data": {"title": "X"}}), 404, 2),
            (json!({"op": "delete", "id": nobody}), 404, 2),
            (json!({"op": "update", "id": row["id"], "if_match": "\"x\"", "data": {"tags": ["z"]}}), 412, 2),
            (json!({"op": "delete", "id": row["id"], "if_match": "\"x\""}), 412, 2),
            (json!({"op": "create", "data": {"title": " "}}), 422, 2),
            (json!({"op": "create"}), 422, 2),
            (json!({"op": "replace", "id": row["id"]}), 422, 2),
            (json!({"op": "update", "id": "nonsense", "data": {}}), 422, 2),
            (json!("delete everything"), 422, 2),
        ] {
            let operations = json!([
                {"op": "create", "data": {"title": "New", "tags": ["a"]}},
                {"op": "update", "id": row["id"], "data": {"title": "Changed", "tags": ["b"]}},
                failing,
                {"op": "delete", "id": row["id"]},
            ]);
            for body in [json!({"operations": operations}), json!({"atomic": true, "operations": operations})]
            {
                let answer = batch(&ann, &resource, body).await;
                let error = answer.is(status);
                assert_eq!(error["error"]["details"]["index"], index, "{error}");
                if status == 412 {
                    assert_eq!(error["error"]["details"]["current"]["id"], row["id"], "{error}");
                }
            }
        }
        let after =
            (resource.rows("").await, ann.get("/api/v1/users/me").await.value()["created_at"].clone());
        assert_eq!(after, before);
        assert_eq!(resource.titles("tags=a").await, ["Old"]);
        let next = resource.create(json!({"title": "Next"})).await.is(201);
        if !resource.is_ideas() {
            assert_eq!(next["number"], 2, "no number was used up");
        }
    }
}

async fn otherwise_each_has_its_own_result(world: &World) {
    let ann = world.user("ann");
    for resource in both(&ann) {
        let made = resource.create(json!({"title": "Old"})).await;
        let tag = made.header("etag").expect("an ETag").to_owned();
        let row = made.is(201);
        let nobody = "0198c2a4-7d1f-7abc-8def-0123456789ab";
        let answer = batch(
            &ann,
            &resource,
            json!({"atomic": false, "operations": [
                {"op": "create", "data": {"title": " ", "priority": "urgent"}},
                {"op": "update", "id": row["id"], "if_match": tag, "data": {"title": "New", "tags": ["n"]}},
                {"op": "update", "id": row["id"], "if_match": tag, "data": {"title": "Newer", "tags": ["m"]}},
                {"op": "delete", "id": nobody},
                {"op": "create", "data": {"title": "Made"}},
                7,
            ]}),
        )
        .await
        .is(200);
        assert_eq!(statuses(&answer), [422, 200, 412, 404, 201, 422]);
        let results = &answer["results"];
        let fields = &results[0]["error"]["details"]["fields"];
        assert_eq!((&fields["title"], fields["priority"].is_array()), (&json!(["Title is required"]), true));
        assert_eq!(results[2]["error"]["code"], "PRECONDITION_FAILED");
        assert_eq!(results[2]["error"]["details"]["current"]["title"], "New");
        assert_eq!(results[3]["error"]["code"], "NOT_FOUND");
        assert_eq!(resource.titles("sort=title&order=asc").await, ["Made", "New"]);
        assert_eq!((resource.titles("tags=n").await.len(), resource.titles("tags=m").await.len()), (1, 0));
    }
}

async fn what_is_wrong_with_a_batch_is_told(world: &World) {
    let ann = world.user("ann");
    for resource in both(&ann) {
        batch(&ann, &resource, json!({})).await.complains(&[("operations", "Operations is required")]);
        batch(&ann, &resource, json!({"operations": {}, "atomic": 1})).await.complains(&[
            ("atomic", "Atomic must be true or false"),
            ("operations", "Operations must be an array"),
        ]);
        let fields = |answer: Answer| answer.is(422)["error"]["details"]["fields"].clone();
        let one = |operation: Value| batch(&ann, &resource, json!({ "operations": [operation] }));
        assert_eq!(fields(one(json!({})).await), json!({"op": ["Op is required"]}));
        assert_eq!(
            fields(one(json!({"op": "Create", "if_match": 7})).await),
            json!({"op": ["Invalid op. Must be one of: create, update, delete"], "if_match": ["If match must be a string"]})
        );
        assert_eq!(
            fields(one(json!({"op": "update"})).await),
            json!({"data": ["Data is required"], "id": ["Id is required"]})
        );
        assert_eq!(
            fields(one(json!({"op": "create", "data": [1]})).await),
            json!({"body": ["Request body must be a JSON object"]})
        );
        let path = format!("{}/batch", resource.base);
        for malformed in [
            "{\"operations\": [{\"op\": \"create\", \"op\": \"create\"}]}",
            "{\"operations\": [{\"op\": \"create\", \"data\": {\"title\": \"a\", \"title\": \"b\"}}]}",
            "{\"operations\": [{\"op\": \"create\", \"data\": {\"title\": \"\\ud800\"}}]}",
            "{\"operations\": [",
        ] {
            ann.send(Request::new("POST", &path).body(malformed)).await.is(400);
        }
        assert_eq!(resource.rows("").await, [Value::Null; 0]);
        ann.get(&path).await.is(405);
    }
}

async fn a_batch_is_repeated_under_its_key(world: &World) {
    let ann = world.user("ann");
    for resource in both(&ann) {
        let row = resource.create(json!({"title": "Old"})).await.is(201);
        let operations = json!([
            {"op": "create", "data": {"title": "Canary"}},
            {"op": "update", "id": row["id"], "data": {"title": "Changed"}},
            {"op": "update", "id": row["id"], "if_match": "\"x\"", "data": {"title": "Never"}},
            {"op": "create", "data": {"title": "Kept"}},
        ]);
        let key = format!("batch {}", resource.base);
        let send = || {
            let request =
                Request::new("POST", format!("{}/batch", resource.base)).header("Idempotency-Key", &key);
            ann.send(request.json(&json!({"atomic": false, "operations": operations})))
        };
        let first = send().await;
        let told = first.is(200);
        assert_eq!(statuses(&told), [201, 200, 412, 201]);
        let again = send().await;
        assert_eq!((again.is(200), again.header("idempotency-replayed")), (told.clone(), Some("true")));
        assert_eq!(again.body, first.body);
        assert_eq!(resource.rows("").await.len(), 3);
        // A row that is gone leaves its id, the others stay.
        let canary = &told["results"][0]["data"]["id"];
        resource.delete(canary).await;
        let after = send().await.is(200);
        assert_eq!(after["results"][0]["data"], json!({ "id": canary }));
        assert_eq!(after["results"][3], told["results"][3]);
        assert!(!after.to_string().contains("Canary"));
        resource.delete(&row["id"]).await;
        assert!(!send().await.is(200).to_string().contains("Changed"));
        // A failed one is not kept.
        let nobody = json!([{"op": "delete", "id": row["id"]}]);
        let request = |body: &Value| {
            let request = Request::new("POST", format!("{}/batch", resource.base));
            ann.send(request.header("Idempotency-Key", format!("failed {}", resource.base)).json(body))
        };
        request(&json!({ "operations": nobody })).await.is(404);
        let other = json!([{"op": "create", "data": {"title": "Other"}}]);
        request(&json!({ "operations": other })).await.is(200);
    }
}

async fn a_batch_asks_for_conditions_where_they_are_required(world: &World) {
    let careful = world.another(&[("REQUIRE_IF_MATCH", "true")]).await;
    let ann = careful.user("ann");
    for resource in both(&ann) {
        let row = resource.create(json!({"title": "Old"})).await.is(201);
        let change = json!([{"op": "update", "id": row["id"], "data": {"title": "New"}}]);
        let refused = batch(&ann, &resource, json!({ "operations": change })).await.is(428);
        assert_eq!(refused["error"]["details"]["index"], 0);
        let any = json!([{"op": "update", "id": row["id"], "if_match": "*", "data": {"title": "New"}}]);
        batch(&ann, &resource, json!({ "operations": any })).await.is(200);
    }
}

async fn others_rows_are_out_of_reach(world: &World) {
    let (ann, bob) = (world.user("ann"), world.user("bob"));
    for (anns, bobs) in both(&ann).into_iter().zip(both(&bob)) {
        let made = anns.create(json!({"title": "Ann's"})).await;
        let tag = made.header("etag").expect("an ETag").to_owned();
        let row = made.is(201);
        bobs.create(json!({"title": "Bob's"})).await.is(201);
        for operation in [
            json!({"op": "update", "id": row["id"], "data": {"title": "Stolen"}}),
            json!({"op": "update", "id": row["id"], "if_match": tag, "data": {"title": "Stolen"}}),
            json!({"op": "update", "id": row["id"], "data": {}}),
            json!({"op": "delete", "id": row["id"]}),
        ] {
            let answer =
                batch(&bob, &bobs, json!({"atomic": false, "operations": [operation.clone()]})).await.is(200);
            assert_eq!(statuses(&answer), [404]);
            assert!(!answer.to_string().contains("Ann's"));
            batch(&bob, &bobs, json!({"operations": [operation]})).await.is(404);
        }
        bob.post(&format!("{}/batch", anns.base), json!({"operations": []})).await.is(403);
        assert_eq!(anns.rows("").await, [row]);
    }
}

async fn a_hundred_and_no_more(world: &World) {
    let ann = world.user("ann");
    for resource in both(&ann) {
        let create =
            |i: usize| json!({"op": "create", "data": {"title": format!("Row {i:03}"), "tags": ["many"]}});
        let operations: Vec<_> = (0..100).map(create).collect();
        let answer = batch(&ann, &resource, json!({ "operations": operations })).await.is(200);
        assert_eq!(statuses(&answer), [201; 100]);
        let changes: Vec<_> = answer["results"]
            .as_array()
            .expect("results")
            .iter()
            .map(|made| json!({"op": "update", "id": made["data"]["id"], "if_match": made["etag"], "data": {"tags": ["few"]}}))
            .collect();
        assert_eq!(
            statuses(&batch(&ann, &resource, json!({ "operations": changes })).await.is(200)),
            [200; 100]
        );
        assert_eq!(resource.list("tags=few&limit=1").await.is(200)["total"], 100);
        assert_eq!(resource.list("tags=many&limit=1").await.is(200)["total"], 0);
        let more: Vec<_> = (0..101).map(create).collect();
        let text = "At most 100 operations are allowed in one batch";
        batch(&ann, &resource, json!({ "operations": more })).await.complains(&[("operations", text)]);
    }
}

async fn batches_across_each_other_all_end(world: &World) {
    let ann = world.user("ann");
    for resource in both(&ann) {
        let mut ids = Vec::new();
        for i in 0..10 {
            ids.push(resource.create(json!({"title": i.to_string()})).await.is(201)["id"].clone());
        }
        let backwards: Vec<_> = ids.iter().rev().cloned().collect();
        let rounds = (0..20).map(|round| {
            let ids = if round % 2 == 0 { &ids } else { &backwards };
            let operations: Vec<_> = ids
                .iter()
                .map(|id| json!({"op": "update", "id": id, "data": {"title": format!("round {round}")}}))
                .collect();
            batch(&ann, &resource, json!({ "operations": operations }))
        });
        for answer in futures_util::future::join_all(rounds).await {
            answer.is(200);
        }
        for id in &ids {
            assert_eq!(resource.read(id).await.is(200)["version"], 21);
        }
    }
}

async fn a_batch_may_be_answered_short(world: &World) {
    let ann = world.user("ann");
    for resource in both(&ann) {
        let operations =
            json!([{"op": "create", "data": {"title": "A"}}, {"op": "create", "data": {"title": "B"}}]);
        let request =
            Request::new("POST", format!("{}/batch", resource.base)).header("Prefer", "return=minimal");
        let answer = ann.send(request.json(&json!({ "operations": operations }))).await;
        let told = answer.is(200);
        assert_eq!(answer.listed("preference-applied"), ["return=minimal"]);
        for result in told["results"].as_array().expect("results") {
            let read = resource.read(&result["data"]["id"]).await;
            assert_eq!(result["etag"], read.header("etag").expect("an ETag"));
            assert_eq!(result["data"].as_object().expect("an object").len(), 1, "{result}");
        }
    }
}

async fn a_row_touched_many_times_is_kept_once(world: &World) {
    let ann = world.user("ann");
    for resource in both(&ann) {
        let long = resource.long_text();
        let row = resource.create(json!({"title": "A", (long): "x".repeat(5_000)})).await.is(201);
        let same = json!({"op": "update", "id": row["id"], "data": {}});
        let body = json!({"operations": vec![same; 100]});
        let send = || {
            let request = Request::new("POST", format!("{}/batch", resource.base));
            ann.send(request.header("Idempotency-Key", &resource.base).json(&body))
        };
        let first = send().await;
        assert_eq!(statuses(&first.is(200)), [200; 100]);
        let (again, behind) = (send().await, world.behind().await);
        assert_eq!((again.header("idempotency-replayed"), &again.body), (Some("true"), &first.body));
        assert_eq!(behind.number("select count(*) from @idempotency_texts").await, 1);
        resource.delete(&row["id"]).await;
        assert!(!send().await.text().contains("xxx"));
    }
}
