//! Where Citus, an extension of PostgreSQL, has put the tables.

use tokio_postgres::SimpleQueryRow;

/// Whether the extension is there, and how many servers hold shards. The table of nodes is the extension's own.
pub(super) const EXTENSION: &str = "select extversion from pg_catalog.pg_extension where extname = 'citus'";

/// The servers that hold shards.
pub(super) const NODES: &str = "select count(*) from pg_catalog.pg_dist_node where isactive and shouldhaveshards and noderole = 'primary'";

/// Every table of the schema; the last three are null for one that Citus does not know.
pub(super) const TABLES: &str = "\
select c.relname, p.partmethod, column_to_column_name(p.logicalrelid, p.partkey), p.colocationid \
from pg_catalog.pg_class c \
join pg_catalog.pg_namespace n on n.oid = c.relnamespace and n.nspname = '@schema' \
left join pg_catalog.pg_dist_partition p on p.logicalrelid = c.oid \
where c.relkind in ('r', 'p') order by c.relname";

/// A database with the extension Citus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CitusLook {
    /// The extension's version, such as `13.2-1`.
    pub version: String,
    /// Servers that hold shards.
    pub nodes: u32,
    /// Every table of the schema of `DATABASE_SCHEMA`.
    pub tables: Vec<Placed>,
}

/// A table and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Its name, without the schema.
    pub name: String,
    /// The column whose hash says on which shard a row is; none for a table that is on one server or on all.
    pub column: Option<String>,
    /// Tables of one group have the rows of one value on one server.
    pub group: Option<String>,
}

pub(super) fn read(version: &str, nodes: Option<&str>, rows: &[SimpleQueryRow]) -> CitusLook {
    let text = |row: &SimpleQueryRow, at: usize| row.try_get(at).ok().flatten().map(str::to_owned);
    let placed = |row: &SimpleQueryRow| {
        let hashed = text(row, 1).as_deref() == Some("h");
        Placed {
            name: text(row, 0).unwrap_or_default(),
            column: text(row, 2).filter(|_| hashed),
            group: text(row, 3).filter(|_| hashed),
        }
    };
    CitusLook {
        version: version.to_owned(),
        nodes: nodes.and_then(|text| text.parse().ok()).unwrap_or_default(),
        tables: rows.iter().map(placed).collect(),
    }
}
