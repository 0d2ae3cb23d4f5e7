//! The JSON of the todo list as the settings have it: a bare array or an object, with rows in the contract's look.

use std::io::Write;

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::list::TodoWindow;
use crate::api::look::{Look, TaskShown};
use crate::config::contract::TodoListShape;
use crate::http::error::ApiError;
use crate::tasks::Task;

/// The shape of a list and the look of its rows.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// `TODO_LIST`.
    pub list: TodoListShape,
    /// The form of each row.
    pub look: Look,
}

/// The text of a whole list, written piece by piece: nothing but the number of its rows is kept.
#[derive(Debug)]
pub struct Whole {
    shape: Shape,
    begun: bool,
    rows: u64,
}

impl Whole {
    /// The beginning of a list.
    pub fn new(shape: Shape) -> Self {
        Self { shape, begun: false, rows: 0 }
    }

    /// The next piece of the text. The number stands behind the rows, since it is known only there; it is that of the
    /// rows that were sent.
    ///
    /// # Errors
    /// 500, should a row not serialise.
    pub fn piece(&mut self, tasks: &[Task], last: bool) -> Result<Vec<u8>, ApiError> {
        let mut text = Vec::new();
        self.write(tasks, last, &mut text).map_err(|_| ApiError::Internal)?;
        Ok(text)
    }

    fn write(&mut self, tasks: &[Task], last: bool, text: &mut Vec<u8>) -> std::io::Result<()> {
        let Self { shape: Shape { list, look }, begun, rows } = self;
        let (name, number) = list.names();
        let bare = *list == TodoListShape::Array;
        if !*begun && !bare {
            write!(text, "{{\"{name}\":")?;
        }
        if !*begun {
            text.push(b'[');
            *begun = true;
        }
        for task in tasks {
            if *rows > 0 {
                text.push(b',');
            }
            serde_json::to_writer(&mut *text, &TaskShown(task, *look))?;
            *rows += 1;
        }
        if last {
            text.push(b']');
        }
        if last && !bare {
            write!(text, ",\"{number}\":{rows}}}")?;
        }
        Ok(())
    }
}

/// A window of the list under the names of its shape.
#[derive(Debug)]
pub struct WindowShown(pub TodoWindow, pub Shape);

impl Serialize for WindowShown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(TodoWindow { tasks, total, limit, offset, has_more }, shape) = self;
        let (name, number) = shape.list.names();
        let rows: Vec<_> = tasks.iter().map(|task| TaskShown(task, shape.look)).collect();
        let mut window = serializer.serialize_map(None)?;
        window.serialize_entry(name, &rows)?;
        if let Some(total) = total {
            window.serialize_entry(number, total)?;
        }
        window.serialize_entry("limit", limit)?;
        if let Some(offset) = offset {
            window.serialize_entry("offset", offset)?;
        }
        window.serialize_entry("has_more", has_more)?;
        window.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An empty list, written in so many pieces; the last one ends it, unless it broke off.
    fn empty(list: TodoListShape, pieces: usize, broke_off: bool) -> String {
        let mut whole = Whole::new(Shape { list, look: Look::default() });
        let texts = (1..=pieces).map(|piece| whole.piece(&[], piece == pieces && !broke_off).unwrap());
        String::from_utf8(texts.collect::<Vec<_>>().concat()).unwrap()
    }

    #[test]
    fn the_frame_is_written_once_however_many_pieces_there_are() {
        for pieces in 1..4 {
            assert_eq!(empty(TodoListShape::Array, pieces, false), "[]");
            assert_eq!(empty(TodoListShape::DataCount, pieces, false), "{\"data\":[],\"count\":0}");
        }
    }

    #[test]
    fn what_broke_off_is_no_json() {
        assert_eq!(empty(TodoListShape::Array, 2, true), "[");
        assert_eq!(empty(TodoListShape::ItemsTotal, 2, true), "{\"items\":[");
    }
}
