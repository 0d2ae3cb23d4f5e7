//! Lists: what filters find, and in which order.

use serde_json::{Value, json};

use crate::harness::{Resource, World, on_both};

on_both!(
    filters_find_their_rows,
    filters_combine,
    tasks_by_status,
    ideas_by_stage,
    due_dates_bound_a_list,
    orders_are_as_named,
    several_keys_have_a_sign_each,
    pages_never_repeat_or_skip,
    wrong_values_are_refused_by_name,
);

/// Titles as a set.
async fn found(resource: &Resource, query: &str) -> Vec<String> {
    let mut titles = resource.titles(query).await;
    titles.sort_unstable();
    titles
}

async fn filters_find_their_rows(world: &World) {
    let ann = world.user("ann");
    for resource in ann.resources() {
        let prefix = resource.base.replace('/', "");
        for (title, priority, tags) in [
            ("a", "high", json!(["blog", "video"])),
            ("b", "low", json!(["blog"])),
            ("c", "medium", json!(["Video"])),
            ("d", "low", json!([])),
        ] {
            let mut tags = tags;
            tags.as_array_mut().expect("an array").push(json!(prefix));
            resource.create(json!({"title": title, "priority": priority, "tags": tags})).await.is(201);
        }
        let here = async |query: &str| found(&resource, &format!("{query}&tags={prefix}")).await;
        assert_eq!(here("priority=low").await, ["b", "d"]);
        assert_eq!(here("priority=low,high").await, ["a", "b", "d"]);
        assert_eq!(here("priority=low&priority=medium").await, ["b", "c", "d"]);
        assert_eq!(here("nonsense=1").await, ["a", "b", "c", "d"], "an unknown parameter is ignored");
        assert_eq!(found(&resource, &format!("tags=blog,{prefix}&tag_mode=all")).await, ["a", "b"]);
        assert_eq!(found(&resource, &format!("tags=blog,video,{prefix}&tag_mode=all")).await, ["a"]);
        assert_eq!(found(&resource, &format!("tags={prefix}&tag_mode=any&priority=medium")).await, ["c"]);
        assert_eq!(
            found(&resource, &format!("tags=Video,{prefix}&tag_mode=all")).await,
            ["c"],
            "case matters in a tag"
        );
        assert_eq!(found(&resource, "tags=vide").await, Vec::<String>::new());
        assert_eq!(
            found(&resource, &format!("search=&tags={prefix}")).await.len(),
            4,
            "an empty search is none"
        );
        for row in resource.rows(&format!("tags={prefix}")).await {
            resource.delete(&row["id"]).await;
        }
    }
}

async fn filters_combine(world: &World) {
    let ann = world.user("ann");
    for resource in [ann.v1_tasks(), ann.ideas()] {
        for i in 0..12 {
            let priority = if i % 2 == 0 { "high" } else { "low" };
            let tags = if i % 3 == 0 { json!(["three", "x"]) } else { json!(["x"]) };
            let due = if i % 4 == 0 { json!("2030-01-01") } else { Value::Null };
            resource
                .create(json!({"title": format!("Row {i:02}"), "priority": priority, "tags": tags, "due_date": due}))
                .await
                .is(201);
        }
        let query = "priority=high&tags=three&has_due_date=true&search=row";
        assert_eq!(found(&resource, query).await, ["Row 00"]);
        let page = resource.list("priority=high&tags=x&limit=2&order=asc").await.is(200);
        assert_eq!((&page["total"], &page["has_more"]), (&json!(6), &json!(true)));
        let page = resource.list("priority=high&tags=three&limit=2&offset=5").await.is(200);
        assert_eq!((&page["total"], &page["items"]), (&json!(2), &json!([])));
        assert_eq!(found(&resource, "priority=high&search=%2201").await, Vec::<String>::new());
    }
}

async fn tasks_by_status(world: &World) {
    let ann = world.user("ann");
    for (title, completed) in [("a", true), ("b", false), ("c", false)] {
        ann.tasks().create(json!({"title": title, "completed": completed})).await.is(201);
    }
    for tasks in [ann.tasks(), ann.v1_tasks()] {
        for pending in ["status=pending", "status=active", "status=incomplete", "completed=false"] {
            assert_eq!(found(&tasks, pending).await, ["b", "c"], "{pending}");
        }
        for done in ["status=completed", "status=done", "completed=true"] {
            assert_eq!(found(&tasks, done).await, ["a"], "{done}");
        }
        assert_eq!(found(&tasks, "status=all").await, ["a", "b", "c"]);
        tasks.list("status=never").await.complains_about("status");
        tasks.list("completed=1").await.complains_about("completed");
        assert_eq!(tasks.titles("sort=completed").await[0], "a", "true is more than false");
        assert_eq!(tasks.titles("sort=completed&order=asc").await[2], "a");
    }
}

async fn ideas_by_stage(world: &World) {
    let ideas = world.user("ann").ideas();
    for stage in ["draft", "idea", "published", "outline"] {
        ideas.create(json!({"title": stage, "stage": stage})).await.is(201);
    }
    assert_eq!(found(&ideas, "stage=draft").await, ["draft"]);
    assert_eq!(found(&ideas, "stage=idea,draft").await, ["draft", "idea"]);
    assert_eq!(found(&ideas, "stage=idea&stage=published").await, ["idea", "published"]);
    assert_eq!(ideas.titles("sort=stage&order=asc").await, ["idea", "outline", "draft", "published"]);
    assert_eq!(ideas.titles("sort=stage").await, ["published", "draft", "outline", "idea"]);
    ideas
        .list("stage=film")
        .await
        .complains(&[("stage", "Invalid stage. Must be one of: idea, outline, draft, published")]);
}

async fn due_dates_bound_a_list(world: &World) {
    let ann = world.user("ann");
    for resource in [ann.tasks(), ann.ideas()] {
        for (title, due) in
            [("past", json!("2001-05-05T12:00:00Z")), ("future", json!("2999-05-05")), ("none", Value::Null)]
        {
            resource.create(json!({"title": title, "due_date": due})).await.is(201);
        }
        let finished =
            json!({"title": "finished", "due_date": "2002-01-01", "completed": true, "stage": "published"});
        resource.create(finished).await.is(201);
        let list = async |query: &str| found(&resource, query).await;
        assert_eq!(list("overdue=true").await, ["past"]);
        assert_eq!(list("overdue=false").await, ["finished", "future", "none"]);
        assert_eq!(list("has_due_date=true").await, ["finished", "future", "past"]);
        assert_eq!(list("has_due_date=false").await, ["none"]);
        for before in ["due_before", "due_date_to"] {
            assert_eq!(list(&format!("{before}=2001-05-05T12:00:00Z")).await, ["past"], "inclusive");
            assert_eq!(list(&format!("{before}=2001-05-05T11:59:59Z")).await, Vec::<String>::new());
            assert_eq!(list(&format!("{before}=2002-01-01")).await, ["finished", "past"]);
        }
        for after in ["due_after", "due_date_from"] {
            assert_eq!(list(&format!("{after}=2999-05-05")).await, ["future"], "inclusive");
            assert_eq!(list(&format!("{after}=2999-05-05T01:00:00%2B01:00")).await, ["future"]);
            assert_eq!(list(&format!("{after}=2999-05-05T00:00:01Z")).await, Vec::<String>::new());
        }
        assert_eq!(list("due_after=2001-05-06&due_before=2100-01-01").await, ["finished"]);
        assert_eq!(resource.titles("sort=due_date").await, ["future", "finished", "past", "none"]);
        assert_eq!(resource.titles("sort=due_date&order=asc").await, ["past", "finished", "future", "none"]);
        assert_eq!(resource.titles("sort=-due_date").await, ["future", "finished", "past", "none"]);
    }
}

async fn orders_are_as_named(world: &World) {
    let ann = world.user("ann");
    for resource in [ann.tasks(), ann.ideas()] {
        for (title, priority) in
            [("banana", "low"), ("Apple", "high"), ("cherry", "medium"), ("Éclair", "low")]
        {
            resource.create(json!({"title": title, "priority": priority})).await.is(201);
        }
        assert_eq!(resource.titles("").await, ["Éclair", "cherry", "Apple", "banana"], "newest first");
        assert_eq!(resource.titles("order=asc").await, ["banana", "Apple", "cherry", "Éclair"]);
        assert_eq!(resource.titles("sort=title&order=asc").await, ["Apple", "banana", "cherry", "Éclair"]);
        assert_eq!(
            resource.titles("sort_by=title&sort_order=desc").await,
            ["Éclair", "cherry", "banana", "Apple"]
        );
        assert_eq!(resource.titles("sort=priority").await, ["Apple", "cherry", "Éclair", "banana"]);
        assert_eq!(resource.titles("sort=priority&order=asc").await, ["banana", "Éclair", "cherry", "Apple"]);
        let first = resource.rows("order=asc").await[0]["id"].clone();
        resource.patch(&first, json!({"priority": "medium"})).await.is(200);
        assert_eq!(resource.titles("sort=updated_at").await[0], "banana", "last changed first");
        assert_eq!(resource.titles("sort=updated_at&order=asc").await[3], "banana");
    }
}

async fn several_keys_have_a_sign_each(world: &World) {
    let ann = world.user("ann");
    for resource in [ann.tasks(), ann.ideas()] {
        for (title, priority) in [("b", "low"), ("A", "low"), ("d", "high"), ("C", "high"), ("e", "medium")] {
            resource.create(json!({"title": title, "priority": priority})).await.is(201);
        }
        assert_eq!(resource.titles("sort=-priority,title").await, ["C", "d", "e", "A", "b"]);
        assert_eq!(
            resource.titles("sort=-priority,title&order=desc").await,
            ["C", "d", "e", "A", "b"],
            "order is ignored"
        );
        assert_eq!(resource.titles("sort=priority,-title").await, ["b", "A", "e", "d", "C"]);
        assert_eq!(resource.titles("sort=%2Bpriority,%2Btitle").await, ["A", "b", "e", "C", "d"]);
        assert_eq!(resource.titles("sort=-title").await, ["e", "d", "C", "b", "A"]);
        assert_eq!(resource.titles("sort=%2Btitle&order=desc").await, ["A", "b", "C", "d", "e"]);
        assert_eq!(resource.titles("sort=priority,title&order=desc").await, ["A", "b", "e", "C", "d"]);
    }
}

async fn pages_never_repeat_or_skip(world: &World) {
    let ann = world.user("ann");
    for resource in [ann.tasks(), ann.ideas()] {
        for i in 0..30 {
            let due = if i % 3 == 0 { Value::Null } else { json!(format!("2030-01-0{}", i % 2 + 1)) };
            let priority = ["low", "medium", "high"][i % 3];
            let title = ["Same", "same"][i % 2];
            let row = json!({"title": title, "priority": priority, "due_date": due, "completed": i % 2 == 0});
            resource.create(row).await.is(201);
        }
        let own = if resource.is_ideas() { "stage" } else { "completed" };
        let keys = ["created_at", "updated_at", "title", "priority", "due_date", own];
        let orders = keys.iter().flat_map(|key| [format!("sort={key}"), format!("sort={key}&order=asc")]);
        let mixed = [
            "sort=-priority,title",
            "sort=title,-due_date",
            "sort=-due_date,priority",
            "sort=due_date,-title",
        ];
        for order in orders.chain(mixed.map(str::to_owned)) {
            let whole: Vec<Value> = resource.rows(&format!("{order}&limit=100")).await;
            let mut pages = Vec::new();
            for offset in (0..30).step_by(7) {
                pages.extend(resource.rows(&format!("{order}&limit=7&offset={offset}")).await);
            }
            assert_eq!(pages, whole, "{order}");
            let mut ids: Vec<_> = whole.iter().map(|row| row["id"].to_string()).collect();
            ids.sort_unstable();
            ids.dedup();
            assert_eq!(ids.len(), 30, "{order}");
        }
    }
}

async fn wrong_values_are_refused_by_name(world: &World) {
    let ann = world.user("ann");
    for resource in ann.resources() {
        let own = if resource.is_ideas() { "stage" } else { "status" };
        for name in [
            own,
            "priority",
            "tag_mode",
            "overdue",
            "has_due_date",
            "sort",
            "order",
            "due_before",
            "due_after",
        ] {
            resource.list(&format!("{name}=blue")).await.complains_about(name);
        }
        let text = resource.list("sort=colour").await.text();
        for allowed in ["created_at", "updated_at", "title", "priority", "due_date"] {
            assert!(text.contains(allowed), "{allowed} is not named: {text}");
        }
        let text = resource.list("priority=urgent").await.text();
        assert!(["high", "medium", "low"].iter().all(|allowed| text.contains(allowed)), "{text}");
        resource.list(&format!("search={}", "a".repeat(200))).await.is(200);
        resource.list(&format!("search={}", "%C3%A9".repeat(200))).await.is(200);
        resource.list(&format!("search={}", "a".repeat(201))).await.is(422);
        resource.list("search=%ff").await.is(400);
        resource.list("search=%zz").await.is(400);
    }
}
