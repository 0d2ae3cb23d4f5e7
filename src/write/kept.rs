//! An answer as it is kept: what it says about rows stands apart, because it goes when its row goes.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Kind;
use crate::db::draft::Draft;
use crate::db::{DbError, Plan, Row, Statement, Value};

/// An answer as it is kept. What it says about rows stands apart from the rest, because it goes when its row goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The status code.
    pub status: u16,
    /// Names and values of its own headers.
    pub headers: Vec<(String, String)>,
    /// The body around the rows: one piece more than there are rows.
    pub frame: Vec<String>,
    /// The rows.
    pub texts: Vec<Text>,
}

/// What an answer says about a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// The row.
    pub id: Uuid,
    /// All of it; none once the row is gone.
    pub whole: Option<String>,
    /// What is said of a row that is gone: its id.
    pub blank: String,
}

impl Kept {
    /// The body.
    pub fn body(&self) -> String {
        let mut body = String::new();
        let mut texts = self.texts.iter();
        for piece in &self.frame {
            body.push_str(piece);
            if let Some(Text { whole, blank, .. }) = texts.next() {
                body.push_str(whole.as_ref().unwrap_or(blank));
            }
        }
        body
    }

    /// The statements that keep it under a key.
    pub(super) fn statements(&self, key: &str, kind: &Kind) -> Result<Vec<Statement>, DbError> {
        let skeleton = Skeleton {
            headers: self.headers.clone(),
            frame: self.frame.clone(),
            blanks: self.texts.iter().map(|text| (text.id, text.blank.clone())).collect(),
            repeats: (0..self.texts.len()).map(|place| self.said_before(place)).collect(),
        };
        let skeleton = serde_json::to_string(&skeleton)
            .map_err(|_| DbError::Fault("an answer cannot be kept".to_owned()))?;
        let mut draft = Draft::new("update @idempotency_keys set status = ");
        draft.bind(Value::Int(self.status.into())).push(", answer = ").bind(text(&skeleton));
        draft.push(" where user_id = $1 and key = ").bind(text(key));
        let mut statements = vec![draft.finish(Plan::Steady)];
        let (rows, row) = (kind.table, kind.tags.owner);
        for (place, Text { id, whole, blank: _ }) in self.texts.iter().enumerate() {
            let Some(whole) = whole.as_ref().filter(|_| self.said_before(place).is_none()) else { continue };
            let mut draft = Draft::new(&format!(
                "insert into @idempotency_texts (user_id, key, place, {row}, body) select r.user_id, "
            ));
            let place = i64::try_from(place).unwrap_or(i64::MAX);
            draft.bind_all([text(key), Value::Int(place)]).push(", r.id, ").bind(text(whole));
            // Through the row itself: where it is gone again, nothing is kept of it.
            draft.push(&format!(" from {rows} as r where r.user_id = $1 and r.id = ")).bind(Value::Uuid(*id));
            statements.push(draft.finish(Plan::Steady));
        }
        Ok(statements)
    }

    /// The first place that says the very same, so that a batch which touches a row many times is kept once.
    fn said_before(&self, place: usize) -> Option<usize> {
        let text = self.texts.get(place)?;
        let first = self.texts.iter().position(|other| other.id == text.id && other.whole == text.whole);
        first.filter(|first| *first < place)
    }

    /// Reads what was kept: the key's row and the texts of the rows that are still there.
    ///
    /// # Errors
    /// A fault, when it does not read.
    pub(super) fn read(key: &Row, texts: &[Row]) -> Result<Self, DbError> {
        let unread = |_| DbError::Fault("a kept answer does not read".to_owned());
        let Skeleton { headers, frame, blanks, repeats } =
            serde_json::from_str(&key.text(2)?).map_err(unread)?;
        let mut kept = Self {
            status: u16::try_from(key.int(1)?).unwrap_or(500),
            headers,
            frame,
            texts: blanks.into_iter().map(|(id, blank)| Text { id, whole: None, blank }).collect(),
        };
        for row in texts {
            let place = usize::try_from(row.int(0)?).unwrap_or(usize::MAX);
            if let Some(text) = kept.texts.get_mut(place) {
                text.whole = Some(row.text(1)?);
            }
        }
        for (place, first) in repeats.into_iter().enumerate() {
            let whole = first.and_then(|first| kept.texts.get(first)?.whole.clone());
            if let (Some(text), Some(whole)) = (kept.texts.get_mut(place), whole) {
                text.whole = Some(whole);
            }
        }
        Ok(kept)
    }
}

/// A kept answer without its texts.
#[derive(Debug, Serialize, Deserialize)]
struct Skeleton {
    headers: Vec<(String, String)>,
    frame: Vec<String>,
    blanks: Vec<(Uuid, String)>,
    /// For each row the earlier place that says the same.
    repeats: Vec<Option<usize>>,
}

fn text(text: &str) -> Value {
    Value::Text(Some(text.to_owned()))
}
