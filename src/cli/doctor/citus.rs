//! Whether the tables are spread over the servers of a Citus cluster as they can be.

use super::finding::Finding;
use crate::db::inspect::{CitusLook, Placed};

const CHECK: &str = "citus";

/// Our tables and the column that says whose row it is, each after those that it refers to.
const OURS: [(&str, &str); 7] = [
    ("users", "id"),
    ("tasks", "user_id"),
    ("ideas", "user_id"),
    ("task_tags", "user_id"),
    ("idea_tags", "user_id"),
    ("idempotency_keys", "user_id"),
    ("idempotency_texts", "user_id"),
];

/// What the tables of a database with the extension are like.
pub(super) fn citus(schema: &str, look: &CitusLook) -> Finding {
    let CitusLook { version, nodes, tables } = look;
    let what = format!("Citus {version}, {nodes} servers with shards");
    let there: Vec<(&Placed, &str, &str)> = OURS
        .iter()
        .filter_map(|(name, column)| Some((tables.iter().find(|t| t.name == *name)?, *name, *column)))
        .collect();
    if there.is_empty() {
        let cure = "creatorvault migrate up, then distribute the tables: docs/scaling.md";
        return Finding::warning(CHECK, format!("{what}; the tables are not there yet"), cure);
    }
    if let Some((table, name, _)) =
        there.iter().find(|(t, _, by)| t.column.as_deref().is_some_and(|c| c != *by))
    {
        let by = table.column.as_deref().unwrap_or_default();
        let detail = format!("{what}; {name} is distributed by {by}, so requests go to every server");
        return Finding::problem(
            CHECK,
            detail,
            format!(
                "select undistribute_table('{schema}.{name}', cascade_via_foreign_keys => true); then distribute by the user: docs/scaling.md"
            ),
        );
    }
    let local: Vec<_> = there.iter().filter(|(table, _, _)| table.column.is_none()).collect();
    if !local.is_empty() {
        let names: Vec<_> = local.iter().map(|(_, name, _)| *name).collect();
        let all: Vec<_> = local.iter().map(|(_, name, column)| distribute(schema, name, column)).collect();
        let detail = format!("{what}; not distributed: {}", names.join(", "));
        return Finding::warning(CHECK, detail, format!("with psql: {}", all.join(" ")));
    }
    let group = there.first().and_then(|(table, _, _)| table.group.as_deref());
    match there.iter().find(|(table, _, _)| table.group.as_deref() != group) {
        None => Finding::ok(CHECK, format!("{what}; {} tables distributed by user, colocated", there.len())),
        Some((_, name, _)) => Finding::problem(
            CHECK,
            format!("{what}; {name} does not lie beside users, so a user's rows are on several servers"),
            format!(
                "select alter_distributed_table('{schema}.{name}', colocate_with => '{schema}.users', cascade_to_colocated \
                 => true)"
            ),
        ),
    }
}

fn distribute(schema: &str, name: &str, column: &str) -> String {
    let beside = if name == "users" { "none".to_owned() } else { format!("{schema}.users") };
    format!("select create_distributed_table('{schema}.{name}', '{column}', colocate_with => '{beside}');")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Status;

    fn look() -> CitusLook {
        let placed = |(name, column): (&str, &str)| Placed {
            name: name.to_owned(),
            column: Some(column.to_owned()),
            group: Some("1".to_owned()),
        };
        let mut tables: Vec<_> = OURS.into_iter().map(placed).collect();
        // The book of migrations stays where it is.
        tables.push(Placed { name: "creatorvault_migrations".to_owned(), column: None, group: None });
        CitusLook { version: "13.2-1".to_owned(), nodes: 2, tables }
    }

    fn changed(at: usize, change: impl FnOnce(&mut Placed)) -> Finding {
        let mut look = look();
        change(&mut look.tables[at]);
        citus("vault", &look)
    }

    #[test]
    fn tables_beside_each_other_are_fine() {
        let found = citus("vault", &look());
        assert_eq!(found.status, Status::Ok);
        assert_eq!(
            found.detail,
            "Citus 13.2-1, 2 servers with shards; 7 tables distributed by user, colocated"
        );
    }

    #[test]
    fn what_is_not_distributed_is_told_with_the_statements_in_their_order() {
        let mut none = look();
        none.tables.iter_mut().for_each(|table| (table.column, table.group) = (None, None));
        let cure = citus("public", &none).cure.unwrap();
        let begin = "with psql: select create_distributed_table('public.users', 'id', colocate_with => 'none'); \
                     select create_distributed_table('public.tasks', 'user_id', colocate_with => 'public.users');";
        assert!(cure.starts_with(begin), "{cure}");
        assert_eq!(cure.matches("create_distributed_table").count(), 7);
        let one = changed(6, |table| table.column = None);
        assert_eq!(one.status, Status::Warning);
        assert!(one.detail.ends_with("not distributed: idempotency_texts"), "{one:?}");
        let empty = citus("vault", &CitusLook { tables: Vec::new(), ..look() });
        assert_eq!((empty.status, empty.cure.unwrap().contains("migrate up")), (Status::Warning, true));
    }

    #[test]
    fn tables_by_another_column_or_elsewhere_are_a_problem() {
        let by = changed(1, |table| table.column = Some("id".to_owned()));
        assert_eq!((by.status, by.detail.contains("tasks is distributed by id")), (Status::Problem, true));
        let far = changed(3, |table| table.group = Some("9".to_owned()));
        assert_eq!(
            (far.status, far.detail.contains("task_tags does not lie beside users")),
            (Status::Problem, true)
        );
    }
}
