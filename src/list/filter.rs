//! The filters that tasks and ideas share.

use super::Table;
use crate::change::TagTable;
use crate::db::Value;
use crate::db::draft::Draft;
use crate::field::Invalid;
use crate::field::choice::{Choice, Priority};
use crate::field::params::Params;
use crate::field::tags::Tags;
use crate::field::text::fold;
use crate::field::timestamp::Timestamp;

/// The longest `search`, in characters.
const SEARCH_MAX: usize = 200;

/// The filters that tasks and ideas share; the default lets every row through.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Two filters exclude each other: no row can pass.
    pub nothing: bool,
    /// Folded words; each must occur in the title or the long text.
    pub words: Vec<String>,
    /// Any of these; empty: every priority.
    pub priorities: Vec<Priority>,
    /// Any of these tags, or all of them; empty: with any tags or none.
    pub tags: Vec<String>,
    /// Whether a row must have all of `tags`.
    pub all_tags: bool,
    /// Due then or earlier.
    pub due_before: Option<Timestamp>,
    /// Due then or later.
    pub due_after: Option<Timestamp>,
    /// Overdue at the given time, or not.
    pub overdue: Option<(bool, Timestamp)>,
    /// With a due date, or without.
    pub has_due_date: Option<bool>,
}

impl Filter {
    /// Reads the shared filters of a query; complaints are collected in `invalid`.
    pub fn read(params: &Params, now: Timestamp, invalid: &mut Invalid) -> Self {
        let all_tags = match params.one(&["tag_mode"], invalid) {
            None | Some("any") => false,
            Some("all") => true,
            Some(_) => {
                invalid.add("tag_mode", "Invalid tag_mode. Must be one of: any, all");
                false
            }
        };
        let tags = distinct(params.many(&["tags"]).into_iter().map(str::to_owned));
        if tags.len() > Tags::MOST {
            invalid.add("tags", format!("At most {} tags can be asked for at once", Tags::MOST));
        }
        Self {
            nothing: false,
            words: words(params, invalid),
            priorities: distinct(params.choices(&["priority"], invalid)),
            tags,
            all_tags,
            due_before: params.date(&["due_before", "due_date_to"], invalid),
            due_after: params.date(&["due_after", "due_date_from"], invalid),
            overdue: params.switch(&["overdue"], invalid).map(|wanted| (wanted, now)),
            has_due_date: params.switch(&["has_due_date"], invalid),
        }
    }

    /// Whether no filter is set.
    pub fn is_plain(&self) -> bool {
        let Self {
            nothing,
            words,
            priorities,
            tags,
            all_tags: _,
            due_before,
            due_after,
            overdue,
            has_due_date,
        } = self;
        !nothing
            && words.is_empty()
            && priorities.is_empty()
            && tags.is_empty()
            && due_before.is_none()
            && due_after.is_none()
            && overdue.is_none()
            && has_due_date.is_none()
    }

    /// Adds ` and …` for each filter that is set, and nothing for the others.
    pub(super) fn condition(&self, table: &Table, tags: TagTest, draft: &mut Draft) {
        if self.nothing {
            draft.push(" and 1 = 0");
        }
        for word in &self.words {
            let pattern = draft.param(Value::Text(Some(contains_pattern(word))));
            let long_text = table.long_text;
            // The index of words on PostgreSQL is over this very expression. No word has a blank in it, so what is found
            // stands on one side of it.
            draft.push(&format!(
                " and (title_fold || ' ' || coalesce({long_text}, '')) like {pattern} escape '\\'"
            ));
        }
        if !self.priorities.is_empty() {
            let values = self.priorities.iter().map(|p| Value::Text(Some(p.as_str().to_owned())));
            draft.push(" and priority in (").bind_all(values).push(")");
        }
        self.tag_condition(table, tags, draft);
        if let Some(time) = self.due_before {
            draft.push(" and due_date <= ").bind(Value::Time(Some(time)));
        }
        if let Some(time) = self.due_after {
            draft.push(" and due_date >= ").bind(Value::Time(Some(time)));
        }
        if let Some((wanted, now)) = self.overdue {
            let now = draft.param(Value::Time(Some(now)));
            let done = table.done;
            draft.push(&if wanted {
                format!(" and due_date < {now} and not ({done})")
            } else {
                format!(" and (due_date is null or due_date >= {now} or {done})")
            });
        }
        match self.has_due_date {
            Some(true) => draft.push(" and due_date is not null"),
            Some(false) => draft.push(" and due_date is null"),
            None => draft,
        };
    }

    /// Adds ` and …` for the tags, if any are asked for.
    pub(super) fn tag_condition(&self, table: &Table, test: TagTest, draft: &mut Draft) {
        if self.tags.is_empty() || test == TagTest::Done {
            return;
        }
        let TagTable { tags, owner, rows: _ } = table.tags;
        // A row has each tag at most once, so one look counts however many.
        let all = (self.all_tags && self.tags.len() > 1).then_some(self.tags.len());
        let all = all.map(|all| draft.param(Value::Int(i64::try_from(all).unwrap_or(i64::MAX))));
        let grouped = all.as_ref().map(|all| format!(" group by {owner} having count(*) = {all}"));
        let grouped = grouped.unwrap_or_default();
        match test {
            TagTest::Listed => {
                draft.push(" and id in (");
                self.list_tags(table, draft);
                draft.push(&grouped).push(")");
            }
            TagTest::In(list) => {
                draft.push(&format!(" and id in (select {owner} from {list}{grouped})"));
            }
            TagTest::Done => {}
            TagTest::OfRow(row) => {
                draft.push(&format!(
                    " and (select count(*) from {tags} as t where t.user_id = $1 and t.{owner} = {row}.id"
                ));
                draft.push(" and t.tag in (").bind_all(self.tag_values()).push(")) ");
                // Not `exists`: PostgreSQL may make a list of all rows with the tag for it, where it is to look at few.
                draft.push(&all.map_or_else(|| "> 0".to_owned(), |all| format!("= {all}")));
            }
        }
    }

    /// Adds `select …`: the rows of the entries that any of the tags has, once for each of a row's.
    pub(super) fn list_tags(&self, table: &Table, draft: &mut Draft) {
        let TagTable { tags, owner, rows: _ } = table.tags;
        draft.push(&format!("select {owner} from {tags} where user_id = $1 and tag in ("));
        draft.bind_all(self.tag_values()).push(")");
    }

    fn tag_values(&self) -> impl Iterator<Item = Value> {
        self.tags.iter().map(|tag| Value::Text(Some(tag.clone())))
    }
}

/// How rows are tested for tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TagTest {
    /// By the list of all rows that have them.
    Listed,
    /// By a list of such rows that was made before and is called this.
    In(&'static str),
    /// Not at all: only rows that passed are there.
    Done,
    /// Row by row; they are called this.
    OfRow(&'static str),
}

/// The words of `search` (alias `q`), folded; an empty text asks for nothing.
fn words(params: &Params, invalid: &mut Invalid) -> Vec<String> {
    let Some(text) = params.one(&["search", "q"], invalid) else { return Vec::new() };
    if text.chars().count() > SEARCH_MAX {
        invalid.add("search", format!("Search exceeds maximum length of {SEARCH_MAX} characters"));
        return Vec::new();
    }
    distinct(text.split_whitespace().map(fold))
}

/// Each value once, in the order in which they came first: asking twice asks for no more.
pub fn distinct<T: PartialEq>(values: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut kept = Vec::new();
    for value in values {
        if !kept.contains(&value) {
            kept.push(value);
        }
    }
    kept
}

/// A `like` pattern that finds exactly this text: its wildcards are escaped.
fn contains_pattern(word: &str) -> String {
    let mut pattern = String::with_capacity(word.len() + 8);
    pattern.push('%');
    for c in word.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn wildcards_are_plain_characters() {
        assert_eq!(contains_pattern("50%_\\"), "%50\\%\\_\\\\%");
    }

    /// What `like` means by a pattern whose wildcards are escaped with `\`: text without its first and last `%`, unescaped.
    fn meant(pattern: &str) -> Option<String> {
        let mut text = String::new();
        let mut signs = pattern.strip_prefix('%')?.strip_suffix('%')?.chars();
        while let Some(sign) = signs.next() {
            match sign {
                '%' | '_' => return None,
                '\\' => text.push(signs.next().filter(|next| matches!(next, '%' | '_' | '\\'))?),
                other => text.push(other),
            }
        }
        Some(text)
    }

    proptest! {
        #[test]
        fn a_pattern_means_its_word_and_nothing_else(word in "[%_\\\\'\"a]{0,12}|\\PC{0,12}") {
            prop_assert_eq!(meant(&contains_pattern(&word)), Some(word));
        }

        #[test]
        fn no_filter_panics(name in "search|q|tags|tag_mode|priority|due_before|due_after|overdue|has_due_date", value in ".{0,60}|[0-9T:Z+, -]{0,30}") {
            let mut url = reqwest::Url::parse("http://x/").unwrap();
            url.query_pairs_mut().append_pair(&name, &value);
            let params = Params::parse(url.query().unwrap_or_default()).unwrap();
            let mut invalid = Invalid::default();
            let filter = Filter::read(&params, Timestamp::from_micros(0), &mut invalid);
            let filtered = filter.words.iter().chain(&filter.tags).any(|text| text.contains('\0'));
            prop_assert!(!filtered, "U+0000 must not reach a statement");
        }
    }
}
