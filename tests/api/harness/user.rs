//! A signed-in user and what a front-end calls on her behalf.

use std::net::SocketAddr;

use serde_json::Value;

use super::{Answer, Request};

/// A signed-in user.
#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) token: String,
    pub(crate) address: SocketAddr,
}

impl User {
    pub(crate) async fn send(&self, request: Request) -> Answer {
        request.bearer(&self.token).send(self.address).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::new("GET", path)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(Request::new("DELETE", path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Request::new("POST", path).json(&body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(Request::new("PUT", path).json(&body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(Request::new("PATCH", path).json(&body)).await
    }

    /// Her tasks in the todo contract.
    pub(crate) fn tasks(&self) -> Resource {
        self.resource("/api", "tasks")
    }

    /// Her tasks in the v1 contract.
    pub(crate) fn v1_tasks(&self) -> Resource {
        self.resource("/api/v1", "tasks")
    }

    /// Her ideas.
    pub(crate) fn ideas(&self) -> Resource {
        self.resource("/api/v1", "ideas")
    }

    /// All three.
    pub(crate) fn resources(&self) -> [Resource; 3] {
        [self.tasks(), self.v1_tasks(), self.ideas()]
    }

    fn resource(&self, base: &str, kind: &'static str) -> Resource {
        Resource { user: self.clone(), kind, base: format!("{base}/{}/{kind}", encode(&self.id)) }
    }
}

/// One user's tasks or ideas in one contract.
#[derive(Debug, Clone)]
pub(crate) struct Resource {
    user: User,
    /// `tasks` or `ideas`.
    pub(crate) kind: &'static str,
    /// The path of the collection.
    pub(crate) base: String,
}

impl Resource {
    pub(crate) fn is_v1(&self) -> bool {
        self.base.starts_with("/api/v1/")
    }

    pub(crate) fn is_ideas(&self) -> bool {
        self.kind == "ideas"
    }

    /// `description` of a task, `notes` of an idea.
    pub(crate) fn long_text(&self) -> &'static str {
        if self.is_ideas() { "notes" } else { "description" }
    }

    pub(crate) async fn create(&self, body: Value) -> Answer {
        self.user.post(&self.base, body).await
    }

    /// The list, with a query string (empty: none).
    pub(crate) async fn list(&self, query: &str) -> Answer {
        let separator = if query.is_empty() { "" } else { "?" };
        self.user.get(&format!("{}{separator}{query}", self.base)).await
    }

    /// The rows of a list, in whatever shape it comes.
    pub(crate) async fn rows(&self, query: &str) -> Vec<Value> {
        let answer = self.list(query).await.is(200);
        let rows = ["items", "tasks"].iter().find_map(|name| answer.get(name)).unwrap_or(&answer);
        rows.as_array().unwrap_or_else(|| panic!("{}?{query} is no list: {answer}", self.base)).clone()
    }

    /// The titles of a list, in its order.
    pub(crate) async fn titles(&self, query: &str) -> Vec<String> {
        let rows = self.rows(query).await;
        rows.iter().map(|row| row["title"].as_str().expect("every row has a title").to_owned()).collect()
    }

    pub(crate) async fn read(&self, id: &Value) -> Answer {
        self.user.get(&self.path(id)).await
    }

    pub(crate) async fn put(&self, id: &Value, body: Value) -> Answer {
        self.user.put(&self.path(id), body).await
    }

    pub(crate) async fn patch(&self, id: &Value, body: Value) -> Answer {
        self.user.patch(&self.path(id), body).await
    }

    pub(crate) async fn delete(&self, id: &Value) -> Answer {
        self.user.delete(&self.path(id)).await
    }

    /// `PATCH …/complete` without a body.
    pub(crate) async fn toggle(&self, id: &Value) -> Answer {
        self.user.send(Request::new("PATCH", format!("{}/complete", self.path(id)))).await
    }

    /// `PATCH …/complete` with `{"completed": …}`.
    pub(crate) async fn complete(&self, id: &Value, completed: bool) -> Answer {
        self.user
            .patch(&format!("{}/complete", self.path(id)), serde_json::json!({ "completed": completed }))
            .await
    }

    /// The path of one row, by its `id` or `number`.
    pub(crate) fn path(&self, id: &Value) -> String {
        match id {
            Value::String(text) => format!("{}/{text}", self.base),
            other => format!("{}/{other}", self.base),
        }
    }
}

/// A text as one segment of a path or one value of a query.
pub(crate) fn encode(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}
