//! One row of the source, parsed at the door like a body of the API: what fits becomes a row of ours, what does not is
//! refused with every reason.

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::Value;
use uuid::{Builder, Uuid};

use super::Kind;
use super::columns::{Columns, Field};
use super::report::{self, Refusal};
use super::times::point;
use super::users::{UserMap, check_user, uuid_of_bytes};
use super::words::{Words, tags};
use crate::db::Row;
use crate::field::choice::Priority;
use crate::field::form::Form;
use crate::field::patch::Sent;
use crate::field::tags::Tags;
use crate::field::timestamp::Timestamp;
use crate::ideas::{IdeaTitle, Notes, Stage};
use crate::tasks::{Description, TaskTitle};

/// The greatest number that a JavaScript front-end reads exactly.
pub(super) const GREATEST: i64 = 9_007_199_254_740_991;

/// Said in the report of every row of which it holds.
const NO_TIME: &str = "no created_at: taken as made now";
const NOT_DONE: &str = "a completed_at beside completed = false was left out";

/// A row that fits.
#[derive(Debug)]
pub(super) struct Incoming {
    /// What a refusal calls it.
    pub(super) label: String,
    pub(super) id: Uuid,
    /// Where the source counted its rows; otherwise it takes the user's next one.
    pub(super) number: Option<i64>,
    pub(super) user: String,
    pub(super) title: String,
    pub(super) text: Option<String>,
    pub(super) state: State,
    pub(super) priority: Priority,
    pub(super) tags: Vec<String>,
    pub(super) due_date: Option<Timestamp>,
    pub(super) created_at: Timestamp,
    /// Whether the source says when it was made.
    pub(super) dated: bool,
    pub(super) updated_at: Timestamp,
    /// What the report has to say of it.
    pub(super) notes: Vec<&'static str>,
}

/// What only a task has, or only an idea.
#[derive(Debug, Clone, Copy)]
pub(super) enum State {
    Task { completed_at: Option<Timestamp> },
    Idea(Stage),
}

/// Reads rows.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    pub(super) kind: Kind,
    pub(super) columns: &'a Columns,
    pub(super) words: &'a Words,
    /// Whose rows these are, where no column says it.
    pub(super) user: Option<&'a str>,
    pub(super) users: Option<&'a UserMap>,
    /// Whether an id tells a row apart only beside its user.
    pub(super) counts_per_user: bool,
}

impl Reader<'_> {
    /// A row that fits, or why it does not. One that does not say when it was made was made `now`.
    pub(super) fn read(&self, row: &Row, now: Timestamp) -> Result<Incoming, Refusal> {
        let mut page = Page { reader: self, now, cells: Vec::new(), form: Form::new(), notes: Vec::new() };
        for (at, (field, _)) in self.columns.taken.iter().enumerate() {
            // Every column was asked for as text; SQLite alone hands out some that is none.
            let cell = row.opt_text(at).unwrap_or_else(|_| {
                page.complain(*field, "the text is not UTF-8");
                None
            });
            page.cells.push(cell);
        }
        let incoming = page.row();
        let user = page.cell(Field::User).filter(|_| self.counts_per_user);
        let label = report::row(page.cell(Field::Id), user);
        let Page { form, notes, .. } = page;
        match (incoming, form.finish()) {
            (Some(incoming), Ok(())) => Ok(Incoming { label, notes, ..incoming }),
            (_, Err(invalid)) => Err(Refusal::new(&label, &invalid)),
            (None, Ok(())) => Err(Refusal::of(&label, "id", "Id is required")),
        }
    }

    /// The user of the source, and who that is here; or the rule that is broken.
    pub(super) fn owner(&self, cell: Option<&str>) -> Result<(String, String), String> {
        if let Some(user) = self.user {
            return Ok((user.to_owned(), user.to_owned()));
        }
        let old = cell.map(|text| UserMap::old_id(text.to_owned())).ok_or("User id is required")?;
        let new = self.users.map_or(Ok(old.as_str()), |users| {
            users.get(&old).ok_or("the user is not in the file of --user-map: add a line for it")
        })?;
        check_user(new)?;
        let new = new.to_owned();
        Ok((old, new))
    }
}

/// A row being read.
struct Page<'a> {
    reader: &'a Reader<'a>,
    now: Timestamp,
    cells: Vec<Option<String>>,
    form: Form,
    notes: Vec<&'static str>,
}

impl Page<'_> {
    /// The row; every complaint is in the form.
    fn row(&mut self) -> Option<Incoming> {
        let owner = self.owner();
        let ids = owner.as_ref().and_then(|(old, _)| self.ids(old));
        let (title, text) = (self.title(), self.text());
        let priority = self.priority();
        let tags = self.tags();
        let due_date = self.time(Field::DueDate);
        let created = self.time(Field::CreatedAt);
        let created_at = created.unwrap_or(self.now);
        if created.is_none() {
            self.notes.push(NO_TIME);
        }
        let updated_at = self.time(Field::UpdatedAt).unwrap_or(created_at);
        let state = match self.reader.kind {
            Kind::Tasks => self.completed(updated_at),
            Kind::Ideas => self.stage(),
        };
        let ((_, user), (id, number), title) = (owner?, ids?, title?);
        let (label, dated, notes) = (String::new(), created.is_some(), Vec::new());
        let incoming = Incoming {
            label,
            id,
            number,
            user,
            title,
            text,
            state,
            priority,
            tags,
            due_date,
            created_at,
            dated,
            updated_at,
            notes,
        };
        Some(incoming)
    }

    fn cell(&self, field: Field) -> Option<&str> {
        let at = self.reader.columns.at(field)?;
        self.cells.get(at).and_then(Option::as_deref)
    }

    fn sent(&self, field: Field) -> Sent {
        self.cell(field).map_or(Sent::Absent, |text| Sent::Value(Value::from(text)))
    }

    fn complain(&mut self, field: Field, text: impl Into<String>) {
        self.form.complain(field.name(self.reader.kind), text);
    }

    /// The user of the source, and who that is here.
    fn owner(&mut self) -> Option<(String, String)> {
        let found = self.reader.owner(self.cell(Field::User));
        found.map_err(|text| self.complain(Field::User, text)).ok()
    }

    /// A UUID stays; a number becomes the task's number, and like any other text the source of a UUID that is the same
    /// whenever the row is read.
    fn ids(&mut self, old_user: &str) -> Option<(Uuid, Option<i64>)> {
        let text = self.cell(Field::Id).unwrap_or_default().trim().to_owned();
        if let Some(id) = uuid_of_bytes(&text).or_else(|| Uuid::parse_str(&text).ok()) {
            return Some((id, None));
        }
        let derived = derive(self.reader.kind, old_user, &text);
        let is_number = text.strip_prefix('-').unwrap_or(&text).bytes().all(|byte| byte.is_ascii_digit());
        let complaint = match text.parse() {
            Ok(1..=GREATEST) if self.reader.kind == Kind::Ideas => return Some((derived, None)),
            Ok(number @ 1..=GREATEST) => return Some((derived, Some(number))),
            _ if text.is_empty() => "Id is required",
            _ if is_number => "Id must be from 1 to 9007199254740991 to become the task's number",
            _ => return Some((derived, None)),
        };
        self.complain(Field::Id, complaint);
        None
    }

    fn title(&mut self) -> Option<String> {
        let sent = self.sent(Field::Title);
        match self.reader.kind {
            Kind::Tasks => self.form.required("title", &sent).map(TaskTitle::into_string),
            Kind::Ideas => self.form.required("title", &sent).map(IdeaTitle::into_string),
        }
    }

    fn text(&mut self) -> Option<String> {
        let sent = self.sent(Field::Text);
        match self.reader.kind {
            Kind::Tasks => self.form.nullable("description", &sent).map(Description::into_string),
            Kind::Ideas => self.form.nullable("notes", &sent).map(Notes::into_string),
        }
    }

    fn priority(&mut self) -> Priority {
        let read = self.cell(Field::Priority).map(|word| self.reader.words.priority(word));
        self.noted(Field::Priority, read).unwrap_or_default()
    }

    fn tags(&mut self) -> Vec<String> {
        let sent = self.cell(Field::Tags).map_or(Sent::Absent, |text| match tags(text) {
            // No list, and to be refused as such.
            Value::Null => Sent::Value(Value::Bool(false)),
            list => Sent::Value(list),
        });
        self.form.or_default::<Tags>("tags", &sent).into_vec()
    }

    /// A time; an empty text, which some back ends have for none, is none.
    fn time(&mut self, field: Field) -> Option<Timestamp> {
        let label = match field {
            Field::DueDate => "Due date",
            Field::CompletedAt => "Completed at",
            Field::UpdatedAt => "Updated at",
            Field::CreatedAt => "Created at",
            Field::Id | Field::User | Field::Title | Field::Text => return None,
            Field::Completed | Field::Stage | Field::Priority | Field::Tags => return None,
        };
        let read = self.cell(field).filter(|text| !text.trim().is_empty()).map(|text| point(label, text))?;
        read.map_err(|text| self.complain(field, text)).ok()
    }

    /// Without a column of its own a task is done that has a time of completion.
    fn completed(&mut self, updated_at: Timestamp) -> State {
        let at = self.time(Field::CompletedAt);
        let told = self.cell(Field::Completed).map(|word| self.reader.words.completed(word));
        let has_column = self.reader.columns.at(Field::Completed).is_some();
        let completed = self.noted(Field::Completed, told).unwrap_or(!has_column && at.is_some());
        if !completed && at.is_some() {
            self.notes.push(NOT_DONE);
        }
        State::Task { completed_at: completed.then(|| at.unwrap_or(updated_at)) }
    }

    fn stage(&mut self) -> State {
        let read =
            self.cell(Field::Stage).map(|word| self.reader.words.stage(word).map(|stage| (stage, None)));
        State::Idea(self.noted(Field::Stage, read).unwrap_or_default())
    }

    /// What a word means; its note or its complaint is written down.
    fn noted<T>(
        &mut self,
        field: Field,
        read: Option<Result<(T, Option<&'static str>), String>>,
    ) -> Option<T> {
        match read? {
            Ok((value, note)) => {
                self.notes.extend(note);
                Some(value)
            }
            Err(text) => {
                self.complain(field, text);
                None
            }
        }
    }
}

/// A UUID (version 8, RFC 9562) out of what names a row in the source. The user is part of it, because some back ends
/// count each user's rows from 1.
fn derive(kind: Kind, old_user: &str, old_id: &str) -> Uuid {
    let named = format!("creatorvault import\0{}\0{old_user}\0{old_id}", kind.name());
    let hash = digest(&SHA256, named.as_bytes());
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(hash.as_ref()).for_each(|(byte, hashed)| *byte = *hashed);
    Builder::from_custom_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_derived_id_never_changes_and_belongs_to_one_row() {
        let id = derive(Kind::Tasks, "7", "1");
        assert_eq!(id.to_string(), "23c109f8-eaa2-8b32-8945-86151409ce71");
        let others =
            [derive(Kind::Ideas, "7", "1"), derive(Kind::Tasks, "71", ""), derive(Kind::Tasks, "7", "2")];
        assert!(others.iter().all(|other| *other != id));
        assert_eq!(id.get_version_num(), 8);
    }
}
