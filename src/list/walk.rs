//! Walking a list as SQL: its order, on or back, and what lies beyond a place in it.

use uuid::Uuid;

use super::cursor::Position;
use super::order::{Direction, Key};
use super::{Order, Table};
use crate::db::Value;
use crate::db::draft::Draft;

/// An order, walked on or back. Backwards every direction is turned round, and rows without a due date come first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Walk<'a> {
    pub(super) table: &'a Table,
    pub(super) order: &'a Order,
    pub(super) back: bool,
}

/// A part of a walk that one range of an index serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stretch {
    /// All of it.
    Whole,
    /// Where the first key is the due date: the rows that have one. Those without come last, which an index cannot say
    /// in one go.
    Dated,
    /// And the rows without.
    Undated,
    /// Where the only key has few values: the rows with the same value, beyond by their ids. SQLite starts a range with
    /// a row value of columns only, and these keys are expressions; PostgreSQL guesses how many rows are beyond a row
    /// value by its first column alone, and takes an index of another order where it guesses none.
    Same,
    /// And the rows with a value further on.
    Further,
}

/// A place to go on from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) position: &'a Position,
    /// Whether a row at the place itself is meant too.
    pub(super) with_it: bool,
}

impl Walk<'_> {
    fn keys(&self) -> impl Iterator<Item = (Key, Direction)> {
        self.order.keys().iter().map(|(key, direction)| (*key, self.turned(*direction)))
    }

    fn turned(&self, direction: Direction) -> Direction {
        if self.back { direction.turned() } else { direction }
    }

    /// The first stretch of a walk from this place, and the one that comes after it.
    pub(super) fn stretches(&self, from: Option<Place<'_>>) -> (Stretch, Option<Stretch>) {
        let (near, far) =
            if self.back { (Stretch::Undated, Stretch::Dated) } else { (Stretch::Dated, Stretch::Undated) };
        match (self.order.keys(), from) {
            ([(Key::DueDate, _), ..], Some(from)) if dated(from.position) == far => (far, None),
            ([(Key::DueDate, _), ..], _) => (near, Some(far)),
            ([(key, _)], Some(_)) if key.has_few_values() => (Stretch::Same, Some(Stretch::Further)),
            _ => (Stretch::Whole, None),
        }
    }

    /// Adds ` order by …`. Within a stretch no more is said than an index can see.
    pub(super) fn order_by(&self, within: Stretch, draft: &mut Draft) {
        draft.push(" order by ");
        for (place, (key, direction)) in self.keys().enumerate().filter(|_| within != Stretch::Same) {
            if key == Key::DueDate && (place > 0 || within == Stretch::Whole) {
                draft.push("(due_date is null)").push(if self.back { " desc, " } else { ", " });
            }
            draft.push(key.expression(self.table)).push(" ").push(direction.word()).push(", ");
        }
        draft.push("id ").push(self.turned(self.order.tie()).word());
    }

    /// Adds ` and …`: the condition that a row is in the stretch and lies beyond the place.
    pub(super) fn condition(&self, stretch: Stretch, from: Option<Place<'_>>, draft: &mut Draft) {
        match stretch {
            Stretch::Dated => draft.push(" and due_date is not null"),
            Stretch::Undated => draft.push(" and due_date is null"),
            Stretch::Whole | Stretch::Same | Stretch::Further => draft,
        };
        let Some(from) = from else { return };
        let Position { values, id } = from.position;
        let keys: Vec<_> = self.keys().zip(values.iter().cloned()).collect();
        match stretch {
            Stretch::Whole => self.beyond(&keys, *id, from.with_it, draft),
            Stretch::Dated | Stretch::Undated if stretch != dated(from.position) => {}
            Stretch::Dated => self.beyond(&keys, *id, from.with_it, draft),
            // All of them have the same due date, none.
            Stretch::Undated => self.beyond(&keys[1..], *id, from.with_it, draft),
            Stretch::Same | Stretch::Further => {
                let same = stretch == Stretch::Same;
                for ((key, direction), value) in keys {
                    let sign = if same { "=" } else { direction.beyond(false) };
                    draft.push(" and ").push(key.expression(self.table)).push(" ").push(sign).push(" ");
                    draft.bind(value);
                }
                if same {
                    self.beyond(&[], *id, from.with_it, draft);
                }
            }
        }
    }

    /// Adds ` and …`: beyond these values and, where they are equal, this id. The first key is one that every row has a
    /// value under.
    fn beyond(&self, keys: &[((Key, Direction), Value)], id: Uuid, with_it: bool, draft: &mut Draft) {
        draft.push(" and ");
        let tie = self.turned(self.order.tie()).beyond(with_it);
        if let [((key, _), value)] = keys {
            // One key and the id run the same way, so a row value says it, and an index can start there.
            draft.push(&format!("({}, id) {tie} (", key.expression(self.table)));
            draft.bind(value.clone()).push(", ").bind(Value::Uuid(id)).push(")");
            return;
        }
        let (mut any, mut equal) = (String::new(), String::new());
        for (place, ((key, direction), value)) in keys.iter().enumerate() {
            let one = self.one(*key, *direction, place == 0, value.clone(), draft);
            if let (0, Some(bound)) = (place, one.bound) {
                // What the rest says already, for an index to start at.
                draft.push(&bound).push(" and ");
            }
            if let Some(after) = one.after {
                any.push_str(&format!("({equal}{after}) or "));
            }
            equal.push_str(&one.same);
            equal.push_str(" and ");
        }
        draft.push(&format!("({any}({equal}id {tie} ")).bind(Value::Uuid(id)).push("))");
    }

    /// The conditions of one key. `plain`: every row has a value under it.
    fn one(&self, key: Key, direction: Direction, plain: bool, value: Value, draft: &mut Draft) -> One {
        let (expression, sign) = (key.expression(self.table), direction.beyond(false));
        if value == Value::Time(None) {
            // Rows without a due date are the last: nothing comes after them but more of them.
            let after = self.back.then(|| "due_date is not null".to_owned());
            return One { after, same: "due_date is null".to_owned(), bound: None };
        }
        let placeholder = draft.param(value);
        let same = format!("{expression} = {placeholder}");
        let after = format!("{expression} {sign} {placeholder}");
        if key == Key::DueDate && !plain && !self.back {
            return One { after: Some(format!("({after} or due_date is null)")), same, bound: None };
        }
        One { after: Some(after), same, bound: Some(format!("{expression} {sign}= {placeholder}")) }
    }
}

/// The conditions of one key.
struct One {
    /// Comes after the value; none when nothing can.
    after: Option<String>,
    /// Has the value.
    same: String,
    /// Has the value or comes after it, where that is one range.
    bound: Option<String>,
}

/// The stretch of the due dates that a place is in.
fn dated(position: &Position) -> Stretch {
    if position.values.first() == Some(&Value::Time(None)) { Stretch::Undated } else { Stretch::Dated }
}
