//! Values on the wire to and from PostgreSQL, in its binary formats.

use std::error::Error;

use bytes::{BufMut, BytesMut};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::db::Value;
use crate::db::job::Owner;
use crate::db::row::{parse_tags, write_tags};
use crate::field::timestamp::Timestamp;

type BoxError = Box<dyn Error + Sync + Send>;

/// Microseconds from the Unix epoch to PostgreSQL's, 2000-01-01.
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

/// One parameter as it is bound: the owner at `$1`, then the statement's own.
#[derive(Debug, Clone, Copy)]
pub(in crate::db) enum Param<'a> {
    Owner(&'a str),
    Value(&'a Value),
}

/// The parameters of a statement from `$1` on.
pub(super) fn params<'a>(owner: &'a Owner, values: &'a [Value]) -> Vec<Param<'a>> {
    owner.id().map(Param::Owner).into_iter().chain(values.iter().map(Param::Value)).collect()
}

impl Param<'_> {
    /// The type it is sent as; told to the server, so that nothing is inferred.
    pub(super) fn kind(self) -> Type {
        match self {
            Self::Owner(_) | Self::Value(Value::Text(_)) => Type::TEXT,
            Self::Value(Value::Uuid(_)) => Type::UUID,
            Self::Value(Value::Int(_)) => Type::INT8,
            Self::Value(Value::Bool(_)) => Type::BOOL,
            Self::Value(Value::Time(_)) => Type::TIMESTAMPTZ,
            Self::Value(Value::Tags(_)) => Type::JSONB,
        }
    }
}

impl Param<'_> {
    /// Whether it has a form on the wire.
    pub(super) fn encodes(self) -> bool {
        match self {
            Self::Value(Value::Time(Some(time))) => time.micros().checked_sub(POSTGRES_EPOCH).is_some(),
            Self::Owner(_) | Self::Value(_) => true,
        }
    }
}

impl ToSql for Param<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, BoxError> {
        // A text that is prepared once must get the same kinds ever after.
        if *ty != self.kind() {
            return Err("a parameter is of another kind than when its statement was prepared".into());
        }
        match self {
            Self::Owner(id) => id.to_sql(ty, out),
            Self::Value(Value::Text(text)) => text.to_sql(ty, out),
            Self::Value(Value::Uuid(uuid)) => uuid.to_sql(ty, out),
            Self::Value(Value::Int(int)) => int.to_sql(ty, out),
            Self::Value(Value::Bool(bool)) => bool.to_sql(ty, out),
            Self::Value(Value::Time(time)) => write_time(*time, out),
            Self::Value(Value::Tags(tags)) => {
                // The version of the jsonb format.
                out.put_u8(1);
                out.put_slice(write_tags(tags)?.as_bytes());
                Ok(IsNull::No)
            }
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

fn write_time(time: Option<Timestamp>, out: &mut BytesMut) -> Result<IsNull, BoxError> {
    let Some(time) = time else { return Ok(IsNull::Yes) };
    out.put_i64(time.micros().checked_sub(POSTGRES_EPOCH).ok_or("a time before what PostgreSQL holds")?);
    Ok(IsNull::No)
}

/// An integer of any width.
pub(in crate::db) struct Whole(pub(in crate::db) i64);

impl<'a> FromSql<'a> for Whole {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, BoxError> {
        let int = match *ty {
            Type::INT2 => i16::from_sql(ty, raw)?.into(),
            Type::INT4 => i32::from_sql(ty, raw)?.into(),
            _ => i64::from_sql(ty, raw)?,
        };
        Ok(Self(int))
    }

    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::INT2 | Type::INT4 | Type::INT8)
    }
}

/// Microseconds since the Unix epoch.
pub(in crate::db) struct Micros(pub(in crate::db) i64);

impl<'a> FromSql<'a> for Micros {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, BoxError> {
        let micros = i64::from_be_bytes(raw.try_into()?);
        // The least and the greatest number are minus and plus infinity.
        let finite = micros.checked_add(POSTGRES_EPOCH).filter(|_| micros != i64::MIN);
        Ok(Self(finite.ok_or("a time that is out of range")?))
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::TIMESTAMPTZ
    }
}

/// A JSON array of strings.
pub(in crate::db) struct Tags(pub(in crate::db) Vec<String>);

impl<'a> FromSql<'a> for Tags {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, BoxError> {
        let json =
            if *ty == Type::JSONB { raw.strip_prefix(&[1]).ok_or("an unknown jsonb format")? } else { raw };
        parse_tags(json).map(Self).ok_or_else(|| "no array of strings".into())
    }

    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::JSON | Type::JSONB)
    }
}
