//! Whether row level security is as the settings ask for it.

use super::finding::{Finding, Status};
use super::{bounded, spoiled};
use crate::config::Examined;
use crate::config::database::{DatabaseConfig, DatabaseUrl};
use crate::db::DbError;
use crate::db::migrate::{self, Fence};

const CHECK: &str = "row security";

/// How it stands for the role that serves; nothing on SQLite, nor where the database has its own line to say.
pub(super) async fn look(examined: &Examined) -> Option<Finding> {
    let config = &examined.config.database;
    let spoiled = spoiled(examined, CHECK, &["DATABASE_", "NEON_DATABASE_URL", "ENVIRONMENT"]).is_some();
    if spoiled || matches!(config.url, DatabaseUrl::Sqlite(_)) {
        return None;
    }
    bounded(migrate::fence(config)).await?.ok()?.map(|fence| standing(config, &fence))
}

fn standing(config: &DatabaseConfig, fence: &Fence) -> Finding {
    if !config.rls {
        return unasked(fence);
    }
    if let Err(DbError::Fault(text)) = fence.check_role() {
        return Finding::from_line(CHECK, Status::Problem, &text);
    }
    let open = fence.open();
    if !open.is_empty() || fence.tables.is_empty() {
        let detail = match fence.tables.is_empty() {
            true => "not there yet: it comes with the tables".to_owned(),
            false => format!("missing on {}", open.join(", ")),
        };
        let cure = "run as the tables' owner: creatorvault migrate up";
        return match config.auto_migrate {
            true => Finding::ok(CHECK, format!("{detail}; put up at the next start")),
            false => Finding::problem(CHECK, detail, cure),
        };
    }
    let other = fence.tables.iter().find_map(|table| Some((&table.table, table.other.as_ref()?)));
    if let Some((table, policy)) = other {
        let detail = format!("{table} has a policy of somebody else's, {policy}, which may let through more");
        return Finding::warning(
            CHECK,
            detail,
            format!("drop policy \"{policy}\" on {table}, unless it is wanted"),
        );
    }
    let count = fence.tables.len();
    Finding::ok(
        CHECK,
        format!("enabled and forced on all {count} tables, and binds the role of DATABASE_URL"),
    )
}

/// A database that has it though nobody asks.
fn unasked(fence: &Fence) -> Finding {
    let binding: Vec<_> =
        fence.tables.iter().filter(|table| table.binds).map(|table| table.table.as_str()).collect();
    if binding.is_empty() {
        return Finding::ok(CHECK, "off: DATABASE_RLS is not on");
    }
    let detail = format!("DATABASE_RLS is off, and {} have it all the same", binding.join(", "));
    let cure = "set DATABASE_RLS=on; or take it off the tables, as docs/database.md says";
    Finding::warning(CHECK, detail, cure)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::db::migrate::Fenced;

    fn config(vars: &[(&str, &str)]) -> DatabaseConfig {
        let url = [("DATABASE_URL", "postgresql://ann@h/db")];
        let vars = url.iter().chain(vars).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::from_vars(vars).unwrap().0.database
    }

    fn table(whole: bool) -> Fenced {
        Fenced { table: "tasks".to_owned(), forced: whole, policy: true, other: None, binds: whole }
    }

    fn fence(bypassed_by: Option<&'static str>, tables: &[Fenced]) -> Fence {
        Fence { bypassed_by, tables: tables.to_vec() }
    }

    #[test]
    fn it_is_told_as_it_stands() {
        let (on, off) = (config(&[("DATABASE_RLS", "on")]), config(&[]));
        let by_hand = config(&[("DATABASE_RLS", "on"), ("AUTO_MIGRATE", "false")]);
        let wide = Fenced { other: Some("all_rows".to_owned()), ..table(true) };
        for (config, fence, status, said) in [
            (&on, fence(None, &[table(true)]), Status::Ok, "forced on all 1 tables"),
            (&on, fence(None, &[table(false)]), Status::Ok, "missing on tasks; put up at the next start"),
            (&by_hand, fence(None, &[table(false)]), Status::Problem, "missing on tasks"),
            (&by_hand, fence(None, &[]), Status::Problem, "comes with the tables"),
            (&on, fence(Some("superuser"), &[table(true)]), Status::Problem, "has superuser"),
            (&on, fence(Some("bypassrls"), &[table(true)]), Status::Problem, "has bypassrls"),
            (&on, fence(None, &[wide]), Status::Warning, "all_rows"),
            (&off, fence(None, &[table(true)]), Status::Warning, "tasks have it all the same"),
            (&off, fence(Some("superuser"), &[table(false)]), Status::Ok, "off"),
        ] {
            let finding = standing(config, &fence);
            assert!(finding.status == status && finding.detail.contains(said), "{said}: {finding:?}");
        }
        let refused = standing(&on, &fence(Some("superuser"), &[]));
        assert!(refused.cure.is_some_and(|cure| cure.contains("nosuperuser nobypassrls")));
    }
}
