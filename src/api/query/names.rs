//! The names of the query parameters, aliases included: what `Prefer: handling=strict` lets pass. What the document says
//! must be here, which a test holds.

/// What every list takes.
pub const LIST: &[&str] = &[
    "search",
    "q",
    "priority",
    "tags",
    "tag_mode",
    "due_before",
    "due_date_to",
    "due_after",
    "due_date_from",
    "overdue",
    "has_due_date",
    "sort",
    "sort_by",
    "order",
    "sort_order",
    "limit",
    "offset",
    "cursor",
    "count",
];

/// What lists of tasks take beside.
pub const TASKS: &[&str] = &["status", "completed", "is_completed"];

/// What lists of ideas take beside.
pub const IDEAS: &[&str] = &["stage"];

/// What the numbers take.
pub const STATS: &[&str] = &["tz"];
