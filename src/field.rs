//! Values parsed once at the door: beyond it a `Title` is a title.

pub mod choice;
pub mod due;
pub mod etag;
pub mod form;
pub mod id;
pub mod params;
pub mod patch;
pub mod request_key;
pub mod tags;
pub mod text;
pub mod timestamp;
pub mod unknown;
pub mod zone;

/// Everything that was wrong with a body or a query, field by field, in the order it was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Invalid {
    fields: Vec<(String, Vec<String>)>,
}

impl Invalid {
    /// One complaint about one field.
    pub fn one(field: &str, text: impl Into<String>) -> Self {
        let mut invalid = Self::default();
        invalid.add(field, text);
        invalid
    }

    /// Adds a complaint; several about one field are kept together.
    pub fn add(&mut self, field: &str, text: impl Into<String>) {
        let text = text.into();
        match self.fields.iter_mut().find(|(name, _)| name == field) {
            Some((_, texts)) => texts.push(text),
            None => self.fields.push((field.to_owned(), vec![text])),
        }
    }

    /// Whether nothing was wrong.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The complaints, field by field.
    pub fn fields(&self) -> &[(String, Vec<String>)] {
        &self.fields
    }

    /// Ok when nothing was wrong, else all complaints at once.
    ///
    /// # Errors
    /// `self`, when it holds a complaint.
    pub fn into_result(self) -> Result<(), Self> {
        if self.is_empty() { Ok(()) } else { Err(self) }
    }
}
