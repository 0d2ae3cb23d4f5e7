//! Cursors: a place between two rows of a list, as a text that only this server reads.
//!
//! The text is base64url without padding (RFC 4648 section 5) of, in this order:
//!
//! | bytes | |
//! | --- | --- |
//! | 1 | the version, 1 |
//! | 1 | the way: 0 goes on after the row, 1 goes back before it |
//! | 8 | the [`Binding`] to order and filters |
//! | … | the row's value under each key of the order: a kind, then the value, big-endian; a text with its length before it (2 bytes) |
//! | 16 | the row's id |
//! | 4 | the first bytes of the SHA-256 of all before |
//!
//! Servers of different releases may read each other's: whoever changes the form gives it another version.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use super::binding::Binding;
use super::{Listed, Order};
use crate::db::Value;
use crate::field::Invalid;
use crate::field::params::Params;
use crate::field::timestamp::Timestamp;

/// The form that is written and read.
const VERSION: u8 = 1;
/// Bytes of the checksum.
const CHECK: usize = 4;

/// Kinds of values.
const NONE: u8 = 0;
const TIME: u8 = 1;
const TEXT: u8 = 2;
const RANK: u8 = 3;
const SWITCH: u8 = 4;

/// What to say about a text that is no cursor of ours.
const DAMAGED: &str = "This cursor is damaged or of another version: send one as it stood in a Link header, or none to begin with the \
                       first page";
/// What to say about a cursor of another list.
const FOREIGN: &str = "This cursor belongs to another sort or other filters: send it with those it came with, or none to begin with \
                       the first page";

/// A row's place in an order, which stays when the row has gone.
#[derive(Debug, Clone, PartialEq)]
pub struct Position {
    /// The row's value under each key of the order.
    pub values: Vec<Value>,
    /// The row's id.
    pub id: Uuid,
}

impl Position {
    /// Where this row stands.
    pub fn of<T: Listed>(order: &Order, row: &T) -> Self {
        Self { values: order.keys().iter().map(|(key, _)| row.sort_value(*key)).collect(), id: row.id() }
    }
}

/// Which rows beside a place are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Those after it.
    Next,
    /// Those before it, the nearest ones.
    Prev,
}

/// Where a page begins or, going back, where it ends.
#[derive(Debug, Clone, PartialEq)]
pub struct Cursor {
    /// On or back.
    pub way: Way,
    /// From where.
    pub position: Position,
}

impl Cursor {
    /// The cursor as a text.
    pub fn write(&self, binding: Binding) -> String {
        let mut bytes = vec![VERSION, u8::from(self.way == Way::Prev)];
        bytes.extend(binding.0);
        for value in &self.position.values {
            write_value(value, &mut bytes);
        }
        bytes.extend(self.position.id.as_bytes());
        bytes.extend(checksum(&bytes));
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads `cursor` of a query with this order and these filters; none without it. Complaints are collected in
    /// `invalid`; as long as there are others, nobody knows which order and filters were meant, so that is not looked
    /// at.
    pub fn read(params: &Params, order: &Order, binding: Binding, invalid: &mut Invalid) -> Option<Self> {
        let text = params.one(&["cursor"], invalid)?;
        let understood = invalid.is_empty();
        let Some((way, found, rest)) = open(text) else {
            invalid.add("cursor", DAMAGED);
            return None;
        };
        if !understood {
            return None;
        }
        if found != binding {
            invalid.add("cursor", FOREIGN);
            return None;
        }
        let position = read_position(&rest, order);
        if position.is_none() {
            invalid.add("cursor", DAMAGED);
        }
        Some(Self { way, position: position? })
    }
}

fn checksum(bytes: &[u8]) -> [u8; CHECK] {
    let mut sum = [0; CHECK];
    sum.copy_from_slice(&digest(&SHA256, bytes).as_ref()[..CHECK]);
    sum
}

fn write_value(value: &Value, bytes: &mut Vec<u8>) {
    match value {
        Value::Time(Some(time)) => {
            bytes.push(TIME);
            bytes.extend(time.micros().to_be_bytes());
        }
        Value::Text(Some(text)) => {
            bytes.push(TEXT);
            // A folded title has some thousand bytes at most.
            bytes.extend(u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes());
            bytes.extend(text.as_bytes());
        }
        Value::Int(rank) => {
            bytes.push(RANK);
            bytes.extend(rank.to_be_bytes());
        }
        Value::Bool(switch) => bytes.extend([SWITCH, u8::from(*switch)]),
        Value::Time(None) | Value::Text(None) | Value::Uuid(_) | Value::Tags(_) => bytes.push(NONE),
    }
}

/// The way, the binding, and the bytes of the position; none when the text is not of this version or not whole.
fn open(text: &str) -> Option<(Way, Binding, Vec<u8>)> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (body, sum) = bytes.split_last_chunk::<CHECK>()?;
    if checksum(body) != *sum {
        return None;
    }
    let ([version, way], rest) = body.split_first_chunk()?;
    let (binding, rest) = rest.split_first_chunk()?;
    let way = match (*version, *way) {
        (VERSION, 0) => Way::Next,
        (VERSION, 1) => Way::Prev,
        _ => return None,
    };
    Some((way, Binding(*binding), rest.to_vec()))
}

/// Anybody can compute a checksum, so what stands behind it is not believed either.
fn read_position(mut bytes: &[u8], order: &Order) -> Option<Position> {
    let mut values = Vec::with_capacity(order.keys().len());
    for (key, _) in order.keys() {
        let value = read_value(&mut bytes)?;
        if !key.holds(&value) {
            return None;
        }
        values.push(value);
    }
    Some(Position { values, id: Uuid::from_slice(bytes).ok()? })
}

fn read_value(bytes: &mut &[u8]) -> Option<Value> {
    let value = match take::<1>(bytes)?[0] {
        NONE => Value::Time(None),
        TIME => Value::Time(Some(Timestamp::checked_from_micros(i64::from_be_bytes(take(bytes)?))?)),
        TEXT => {
            let length = usize::from(u16::from_be_bytes(take(bytes)?));
            let (text, rest) = bytes.split_at_checked(length)?;
            *bytes = rest;
            Value::Text(Some(std::str::from_utf8(text).ok()?.to_owned()))
        }
        RANK => Value::Int(i64::from_be_bytes(take(bytes)?)),
        SWITCH => match take::<1>(bytes)?[0] {
            0 => Value::Bool(false),
            1 => Value::Bool(true),
            _ => return None,
        },
        _ => return None,
    };
    Some(value)
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*taken)
}

#[cfg(test)]
mod tests;
