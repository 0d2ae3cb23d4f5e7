//! Which column of the source is which field of ours: by the names that people give them, or as `--map` says.

use super::Kind;

/// A field of a task or an idea that a column can fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Field {
    Id,
    User,
    Title,
    /// A task's description, an idea's notes.
    Text,
    Completed,
    CompletedAt,
    Stage,
    Priority,
    Tags,
    DueDate,
    CreatedAt,
    UpdatedAt,
}

impl Field {
    const TASK: [Self; 11] = [
        Self::Id,
        Self::User,
        Self::Title,
        Self::Text,
        Self::Completed,
        Self::CompletedAt,
        Self::Priority,
        Self::Tags,
        Self::DueDate,
        Self::CreatedAt,
        Self::UpdatedAt,
    ];
    const IDEA: [Self; 10] = [
        Self::Id,
        Self::User,
        Self::Title,
        Self::Text,
        Self::Stage,
        Self::Priority,
        Self::Tags,
        Self::DueDate,
        Self::CreatedAt,
        Self::UpdatedAt,
    ];

    /// The fields of such a row, in the order in which they choose their columns.
    pub(super) fn of(kind: Kind) -> &'static [Self] {
        match kind {
            Kind::Tasks => &Self::TASK,
            Kind::Ideas => &Self::IDEA,
        }
    }

    /// What it is called in the API.
    pub(super) fn name(self, kind: Kind) -> &'static str {
        match self {
            Self::Id => "id",
            Self::User => "user_id",
            Self::Title => "title",
            Self::Text => kind.text_column(),
            Self::Completed => "completed",
            Self::CompletedAt => "completed_at",
            Self::Stage => "stage",
            Self::Priority => "priority",
            Self::Tags => "tags",
            Self::DueDate => "due_date",
            Self::CreatedAt => "created_at",
            Self::UpdatedAt => "updated_at",
        }
    }

    /// The field of that name.
    pub(super) fn named(name: &str, kind: Kind) -> Result<Self, String> {
        let found = Self::of(kind).iter().copied().find(|field| field.name(kind) == name);
        found.ok_or_else(|| {
            let names: Vec<_> = Self::of(kind).iter().map(|field| field.name(kind)).collect();
            format!(
                "has the field {name:?}, which {} do not have; they have: {}",
                kind.name(),
                names.join(", ")
            )
        })
    }

    /// The names of columns that mean it, the likeliest first, without case and underscores.
    fn aliases(self) -> &'static [&'static str] {
        match self {
            Self::Id => &["id", "uuid", "taskid", "todoid", "ideaid"],
            Self::User => &["userid", "ownerid", "owner", "user", "authorid", "author", "createdby"],
            Self::Title => &["title", "name", "text", "task", "subject", "summary", "todo"],
            Self::Text => &["description", "details", "content", "notes", "note", "body", "detail"],
            Self::Completed => &[
                "completed",
                "iscompleted",
                "complete",
                "iscomplete",
                "done",
                "isdone",
                "finished",
                "status",
            ],
            Self::CompletedAt => &["completedat", "doneat", "finishedat", "completedon", "datecompleted"],
            Self::Stage => &["stage", "status", "state", "phase"],
            Self::Priority => &["priority", "prio"],
            Self::Tags => &["tags", "labels"],
            Self::DueDate => &["duedate", "due", "deadline", "dueat", "dueon"],
            Self::CreatedAt => {
                &["createdat", "created", "datecreated", "createdon", "creationdate", "insertedat"]
            }
            Self::UpdatedAt => {
                &["updatedat", "updated", "dateupdated", "modifiedat", "modified", "updatedon"]
            }
        }
    }
}

/// The columns that are taken, each for its field, and the others.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Columns {
    /// In the order in which they are read.
    pub(super) taken: Vec<(Field, String)>,
    /// What nothing of ours is filled with.
    pub(super) ignored: Vec<String>,
}

impl Columns {
    /// Chooses among the columns that are there; `map` has pairs of a field's and a column's name, an empty one for a
    /// field that shall stay empty.
    ///
    /// # Errors
    /// One line with the cure: a name that is not there, or nothing for the id or the title.
    pub(super) fn choose(kind: Kind, there: &[String], map: &[(String, String)]) -> Result<Self, String> {
        let mut told: Vec<(Field, Option<&String>)> = Vec::new();
        for (name, column) in map {
            let field = Field::named(name, kind).map_err(|text| format!("--map {text}"))?;
            told.push((field, find(there, column)?));
        }
        let is_told = |column: &String| told.iter().any(|(_, other)| *other == Some(column));
        let mut taken: Vec<(Field, String)> = Vec::new();
        for &field in Field::of(kind) {
            let column = match told.iter().rev().find(|(other, _)| *other == field) {
                Some((_, column)) => *column,
                None => field.aliases().iter().find_map(|alias| {
                    let free = |column: &&String| {
                        plain(column) == *alias
                            && !is_told(column)
                            && taken.iter().all(|(_, other)| other != *column)
                    };
                    there.iter().find(free)
                }),
            };
            taken.extend(column.map(|column| (field, column.clone())));
        }
        let unused = |column: &&String| taken.iter().all(|(_, other)| other != *column);
        let ignored = there.iter().filter(unused).cloned().collect();
        let columns = Self { taken, ignored };
        columns.needs(Field::Id, kind, there)?;
        columns.needs(Field::Title, kind, there)?;
        Ok(columns)
    }

    /// Where the column of a field stands in a row; none when there is none.
    pub(super) fn at(&self, field: Field) -> Option<usize> {
        self.taken.iter().position(|(other, _)| *other == field)
    }

    /// The name of a field's column.
    pub(super) fn name(&self, field: Field) -> Option<&str> {
        self.at(field).and_then(|at| self.taken.get(at)).map(|(_, name)| name.as_str())
    }

    fn needs(&self, field: Field, kind: Kind, there: &[String]) -> Result<(), String> {
        if self.at(field).is_some() {
            return Ok(());
        }
        let name = field.name(kind);
        let there = there.join(", ");
        Err(format!(
            "no column looks like the {name}: say which with --map {name}=COLUMN (there are: {there})"
        ))
    }
}

/// A column as it was named, in any case; none for an empty name.
fn find<'a>(there: &'a [String], name: &str) -> Result<Option<&'a String>, String> {
    if name.is_empty() {
        return Ok(None);
    }
    let exact = there.iter().find(|column| *column == name);
    let found = exact.or_else(|| there.iter().find(|column| column.eq_ignore_ascii_case(name)));
    let missing =
        || format!("--map names the column {name:?}, which is not there; there are: {}", there.join(", "));
    found.map(Some).ok_or_else(missing)
}

/// `dueDate`, `Due_Date` and `DUE-DATE` are `duedate`.
pub(super) fn plain(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '_' | '-' | ' ')).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(kind: Kind, there: &str, map: &[(&str, &str)]) -> Result<Vec<(&'static str, String)>, String> {
        let there: Vec<String> = there.split(' ').map(str::to_owned).collect();
        let map: Vec<_> = map.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        let columns = Columns::choose(kind, &there, &map)?;
        let mut all: Vec<_> =
            columns.taken.iter().map(|(field, name)| (field.name(kind), name.clone())).collect();
        all.extend(columns.ignored.iter().map(|name| ("-", name.clone())));
        Ok(all)
    }

    fn pairs(text: &str) -> Vec<(&str, String)> {
        text.split(' ').map(|pair| pair.split_once('=').unwrap()).map(|(a, b)| (a, b.to_owned())).collect()
    }

    #[test]
    fn columns_are_found_by_the_names_that_people_give() {
        let sqlmodel =
            choose(Kind::Tasks, "id user_id title description completed created_at updated_at", &[]);
        let same = "id=id user_id=user_id title=title description=description completed=completed \
                    created_at=created_at updated_at=updated_at";
        assert_eq!(sqlmodel.unwrap(), pairs(same));
        let other =
            choose(Kind::Tasks, "ID ownerId task details isDone prio labels Due_Date created position", &[]);
        let other_way = "id=ID user_id=ownerId title=task description=details completed=isDone priority=prio \
                         tags=labels due_date=Due_Date created_at=created -=position";
        assert_eq!(other.unwrap(), pairs(other_way));
        let idea = choose(Kind::Ideas, "id owner name content status", &[]);
        assert_eq!(idea.unwrap(), pairs("id=id user_id=owner title=name notes=content stage=status"));
    }

    #[test]
    fn one_column_fills_one_field_and_the_likelier_name_wins() {
        let both = choose(Kind::Tasks, "id title name text status completed", &[]);
        assert_eq!(both.unwrap(), pairs("id=id title=title completed=completed -=name -=text -=status"));
    }

    #[test]
    fn a_map_wins_and_an_empty_one_leaves_a_field_out() {
        let map = [("title", "NAME"), ("completed", "state"), ("tags", "")];
        let columns = choose(Kind::Tasks, "id title name state tags", &map).unwrap();
        assert_eq!(columns, pairs("id=id title=name completed=state -=title -=tags"));
    }

    #[test]
    fn what_is_missing_is_named_with_the_cure() {
        let missing = choose(Kind::Tasks, "id heading", &[]).unwrap_err();
        assert!(missing.contains("--map title=COLUMN") && missing.contains("id, heading"), "{missing}");
        assert!(choose(Kind::Tasks, "key title", &[]).unwrap_err().contains("--map id=COLUMN"));
        let unknown = choose(Kind::Tasks, "id title", &[("stage", "title")]).unwrap_err();
        assert!(unknown.contains("\"stage\"") && unknown.contains("completed_at"), "{unknown}");
        let gone = choose(Kind::Tasks, "id title", &[("tags", "marks")]).unwrap_err();
        assert!(gone.contains("\"marks\"") && gone.contains("id, title"), "{gone}");
    }
}
