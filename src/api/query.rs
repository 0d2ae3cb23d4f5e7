//! The query parameters of the lists, as both contracts read and document them.

pub mod names;

use utoipa::IntoParams;

use crate::field::Invalid;
use crate::field::page::Window;
use crate::field::params::Params;
use crate::field::timestamp::Timestamp;
use crate::http::error::ApiError;
use crate::ideas::IdeaFilter;
use crate::list::Order;
use crate::tasks::TaskFilter;

/// What every list takes; the parsing is in [`crate::list`].
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "only its documentation is used: the lists read their parameters with all complaints at once"
)]
pub struct SharedListParams {
    /// Every word must occur in the title or the long text, whatever its case. Alias `q`.
    #[param(max_length = 200)]
    search: Option<String>,
    /// One or several of `high`, `medium`, `low`, comma-separated or repeated.
    priority: Option<String>,
    /// Tags, comma-separated or repeated.
    tags: Option<String>,
    /// `any` (default) or `all` of the tags.
    tag_mode: Option<String>,
    /// Due then or earlier: a date or an RFC 3339 time. Alias `due_date_to`.
    due_before: Option<String>,
    /// Due then or later. Alias `due_date_from`.
    due_after: Option<String>,
    /// Whether the due date is past and the row not done.
    overdue: Option<bool>,
    /// Whether there is a due date.
    has_due_date: Option<bool>,
    /// `created_at` (default), `updated_at`, `title`, `priority`, `due_date`, and `completed` for tasks or `stage` for
    /// ideas. Several keys or a sign: `-priority,title`. Alias `sort_by`.
    sort: Option<String>,
    /// `asc` or `desc` (default) for one unsigned key. Alias `sort_order`.
    order: Option<String>,
    /// How many rows to skip.
    #[param(minimum = 0, maximum = 9_007_199_254_740_992_i64)]
    offset: Option<i64>,
}

/// What the lists of tasks take beside the shared parameters.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its documentation is used")]
pub struct TaskListParams {
    /// `all`, `pending` (also `active`, `incomplete`) or `completed` (also `done`).
    status: Option<String>,
    /// Done or not.
    completed: Option<bool>,
}

/// What the lists of ideas take beside the shared parameters.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its documentation is used")]
pub struct IdeaListParams {
    /// One or several of `idea`, `outline`, `draft`, `published`, comma-separated or repeated.
    stage: Option<String>,
}

/// The window of a page.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its documentation is used")]
pub struct PageParams {
    /// How many rows at most.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<i64>,
}

/// The window of a todo list; with one, the answer is an object.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its documentation is used")]
pub struct WindowParams {
    /// How many rows at most; 50 when only `offset` is given.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<i64>,
}

/// A list request: which rows, in which order, which window.
#[derive(Debug)]
pub struct ListQuery<F> {
    /// Which rows.
    pub filter: F,
    /// In which order.
    pub order: Order,
    /// Which window.
    pub window: Window,
}

/// Reads the query of a list of tasks; `limit` goes up to `most` and is `usual` when it is left out.
///
/// # Errors
/// Every complaint at once.
pub fn tasks(
    params: &Params,
    now: Timestamp,
    most: u32,
    usual: u32,
) -> Result<ListQuery<TaskFilter>, ApiError> {
    read(params, most, usual, "completed", |invalid| {
        params.check_known(&[names::LIST, names::TASKS], invalid);
        TaskFilter::read(params, now, invalid)
    })
}

/// Reads the query of a list of ideas.
///
/// # Errors
/// Every complaint at once.
pub fn ideas(params: &Params, now: Timestamp) -> Result<ListQuery<IdeaFilter>, ApiError> {
    read(params, 100, 20, "stage", |invalid| {
        params.check_known(&[names::LIST, names::IDEAS], invalid);
        IdeaFilter::read(params, now, invalid)
    })
}

fn read<F>(
    params: &Params,
    most: u32,
    usual: u32,
    state: &str,
    filter: impl FnOnce(&mut Invalid) -> F,
) -> Result<ListQuery<F>, ApiError> {
    let mut invalid = Invalid::default();
    params.check_nul(&mut invalid);
    let filter = filter(&mut invalid);
    let order = Order::read(params, state, &mut invalid);
    let window = Window::read(params, most, usual, &mut invalid);
    invalid.into_result()?;
    Ok(ListQuery { filter, order, window })
}
