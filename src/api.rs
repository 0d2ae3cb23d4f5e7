//! Both contracts on one router, and the document that comes out of it.

pub mod answer;
pub mod batch;
pub mod body;
pub mod document;
pub mod errors;
pub mod links;
pub mod look;
pub mod once;
pub mod problem;
pub mod query;
pub mod todo;
pub(crate) mod unwritten;
pub mod v1;

use std::sync::Arc;

use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use crate::app::App;
use crate::auth::caller::Caller;
use crate::config::contract::ContractConfig;
use crate::field::timestamp::Timestamp;
use crate::http::error::ApiError;
use crate::ideas::store::Ideas;
use crate::tasks::store::Tasks;
use crate::users::store::Users;
use crate::users::{Claims, Owner};
use crate::write::{self, Operation, Outcome, Resource};

/// The base of the document; everything else in it comes from the handlers.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "CreatorVault",
        description = "A private REST API for tasks and content ideas behind a Better Auth front-end. \
                       Two contracts over the same data: `todo` for existing todo front-ends, `v1` for new ones. \
                       In a path, `me` stands for the signed-in user.",
        license(name = "MIT", identifier = "MIT")
    ),
    tags(
        (name = "todo", description = "Tasks as existing todo front-ends call them: bare lists, flat errors."),
        (name = "ideas", description = "Content ideas (v1): pages, nested errors."),
        (name = "tasks", description = "Tasks (v1): pages, nested errors."),
        (name = "users", description = "The signed-in user (v1)."),
        (name = "health", description = "For load balancers and people; no token needed.")
    )
)]
struct Document;

/// Every route of both contracts with its documentation, before the document is completed.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::with_openapi(Document::openapi()).merge(todo::routes()).merge(v1::routes())
}

/// The whole document (OpenAPI 3.1): what the handlers say, completed by what all of them share, as these settings have
/// it.
pub fn openapi(settings: &ContractConfig) -> OpenApi {
    let mut document = routes().merge(crate::http::health::routes()).into_openapi();
    document::complete(&mut document);
    document::settings::show(&mut document, settings);
    document
}

/// Routes and documents a handler's path also without its user, who is then taken from the token.
fn with_and_without_user<S>(routes: UtoipaMethodRouter<S>) -> UtoipaMethodRouter<S> {
    let (schemas, mut paths, methods) = routes;
    let short: Vec<_> = paths
        .paths
        .iter()
        .map(|(path, item)| (path.replacen("/{user_id}", "", 1), document::without_user(item.clone())))
        .collect();
    paths.paths.extend(short);
    (schemas, paths, methods)
}

impl App {
    pub(crate) fn owner<'a>(&'a self, caller: &'a Caller) -> Owner<'a> {
        Owner {
            scope: self.db.scope(&caller.user, caller.deadline),
            user: &caller.user,
            claims: Claims { email: caller.email.as_deref(), name: caller.name.as_deref() },
            known: &self.known_claims,
        }
    }

    /// Runs one operation on the caller's rows.
    ///
    /// # Errors
    /// What the database says.
    pub async fn write<T: Resource>(
        &self,
        caller: &Caller,
        operation: Operation,
        now: Timestamp,
    ) -> Result<Outcome<T>, ApiError> {
        Ok(write::write(&self.owner(caller), operation, now).await?)
    }

    /// The caller's tasks.
    pub fn tasks<'a>(&'a self, caller: &'a Caller) -> Tasks<'a> {
        Tasks::of(self.owner(caller))
    }

    /// The caller's ideas.
    pub fn ideas<'a>(&'a self, caller: &'a Caller) -> Ideas<'a> {
        Ideas::of(self.owner(caller))
    }

    /// The caller's own row.
    pub fn users<'a>(&'a self, caller: &'a Caller) -> Users<'a> {
        Users::of(self.owner(caller))
    }
}
