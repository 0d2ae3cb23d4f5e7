//! A front-end that was written against another back end, and a server that is set up for it.

use serde_json::Value;

use super::document::undocumented;
use super::{Answer, Request, User, World};

/// Ann's front-end. It holds every answer against the document of the very server that gave it.
#[derive(Debug)]
pub(crate) struct Front {
    pub(crate) world: World,
    pub(crate) ann: User,
    pub(crate) document: Value,
}

impl Front {
    /// A server with these settings and a database of its own, of the same kind as the world's.
    pub(crate) async fn open(world: &World, settings: &[(&str, &str)]) -> Self {
        let world = world.another(settings).await;
        let document = world.get("/openapi.json").await.is(200);
        Self { ann: world.user("ann"), world, document }
    }

    /// Sends it; the answer must have this status, and be as the document says.
    pub(crate) async fn send(&self, request: Request, status: u16) -> Answer {
        let answer = self.ann.send(request).await;
        assert_eq!(answer.status, status, "{}", answer.text());
        if let Some(fault) = undocumented(&self.document, &answer) {
            panic!("{fault}\n{}", answer.text());
        }
        answer
    }

    /// The JSON of an answer, as `await (await fetch(…)).json()` gives it.
    pub(crate) async fn json(&self, method: &str, path: &str, body: Option<Value>, status: u16) -> Value {
        let request = Request::new(method, path);
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        self.send(request, status).await.value()
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.json("GET", path, None, 200).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        self.json("POST", path, Some(body), 201).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Value {
        self.json("PUT", path, Some(body), 200).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Value {
        self.json("PATCH", path, Some(body), 200).await
    }
}
