//! The query parameters of the lists, as both contracts read and document them.

pub mod names;

use utoipa::IntoParams;

use crate::field::Invalid;
use crate::field::params::Params;
use crate::field::timestamp::Timestamp;
use crate::http::error::ApiError;
use crate::ideas::IdeaFilter;
use crate::list::binding::Binding;
use crate::list::cursor::Cursor;
use crate::list::order::State;
use crate::list::{Order, Window};
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
    /// How many rows to skip; not beside `cursor`.
    #[param(minimum = 0, maximum = 9_007_199_254_740_992_i64)]
    offset: Option<i64>,
    /// Where the page begins, as it stood in a `Link` header, with the same sort and filters as there.
    cursor: Option<String>,
    /// `false` leaves out the total, which saves counting the rows.
    #[param(default = true)]
    count: Option<bool>,
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
    /// How many rows at most; 50 when only `offset` or `cursor` is given.
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
    /// What its cursors are bound to.
    pub binding: Binding,
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
    let filter = |invalid: &mut Invalid| {
        params.check_known(&[names::LIST, names::TASKS], invalid);
        TaskFilter::read(params, now, invalid)
    };
    read(params, (most, usual), State::Completed, filter, TaskFilter::binding)
}

/// Reads the query of a list of ideas.
///
/// # Errors
/// Every complaint at once.
pub fn ideas(params: &Params, now: Timestamp) -> Result<ListQuery<IdeaFilter>, ApiError> {
    let filter = |invalid: &mut Invalid| {
        params.check_known(&[names::LIST, names::IDEAS], invalid);
        IdeaFilter::read(params, now, invalid)
    };
    read(params, (100, 20), State::Stage, filter, IdeaFilter::binding)
}

fn read<F>(
    params: &Params,
    (most, usual): (u32, u32),
    state: State,
    filter: impl FnOnce(&mut Invalid) -> F,
    binding: impl FnOnce(&F, &Order) -> Binding,
) -> Result<ListQuery<F>, ApiError> {
    let mut invalid = Invalid::default();
    params.check_nul(&mut invalid);
    let filter = filter(&mut invalid);
    let order = Order::read(params, state, &mut invalid);
    let binding = binding(&filter, &order);
    let cursor = Cursor::read(params, &order, binding, &mut invalid);
    let window = Window::read(params, most, usual, cursor, &mut invalid);
    invalid.into_result()?;
    Ok(ListQuery { filter, order, window, binding })
}
