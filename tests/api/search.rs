//! A search that takes every sign literally and knows every script's cases.

use creatorvault::field::text::fold;
use serde_json::{Value, json};

use crate::harness::{Dice, Resource, World, encode, on_both};

on_both!(search_wants_every_word, search_finds_what_contains_the_words,);

/// Titles as a set.
async fn found(resource: &Resource, query: &str) -> Vec<String> {
    let mut titles = resource.titles(query).await;
    titles.sort_unstable();
    titles
}

async fn search_wants_every_word(world: &World) {
    let ann = world.user("ann");
    for resource in ann.resources() {
        let long = resource.long_text();
        for (title, text) in [
            ("Spülmaschine AUSRÄUMEN", "teller"),
            ("100% fertig_", "C:\\temp"),
            ("o'clock", "\"now\" ;-- drop"),
        ] {
            resource.create(json!({"title": title, (long): text})).await.is(201);
        }
        for (words, expected) in [
            ("ausräumen", Some("Spülmaschine AUSRÄUMEN")),
            ("TELLER spül", Some("Spülmaschine AUSRÄUMEN")),
            ("\u{a0}teller\u{2003}SPÜL ", Some("Spülmaschine AUSRÄUMEN")),
            ("spu\u{308}l", Some("Spülmaschine AUSRÄUMEN")),
            ("%", Some("100% fertig_")),
            ("_", Some("100% fertig_")),
            ("\\", Some("100% fertig_")),
            (":\\T", Some("100% fertig_")),
            ("'", Some("o'clock")),
            ("\"NOW\" ;--", Some("o'clock")),
            ("teller clock", None),
            ("tellerspül", None),
            ("100_", None),
        ] {
            for name in ["search", "q"] {
                let mut titles = found(&resource, &format!("{name}={}", encode(words))).await;
                titles.dedup();
                assert_eq!(titles, expected.map(str::to_owned).into_iter().collect::<Vec<_>>(), "{words}");
            }
        }
    }
}

/// Found is what contains every word, whatever the words are made of.
async fn search_finds_what_contains_the_words(world: &World) {
    let mut dice = Dice::new();
    let pieces = [
        "a", "A", "b", "ab", "é", "É", "e\u{301}", "ß", "SS", "ẞ", "ſ", "ς", "Σ", "σ", "İ", "I", "ı", "i",
        "字", "ж", "Ж", "ﬁ", "fi", "%", "_", "\\", "'", "\"", ";--", "*", "?", "[", "$1", "&", "👍", " ",
        " ",
    ];
    let text = |dice: &mut Dice, longest: usize| -> String {
        (0..=dice.below(longest)).map(|_| pieces[dice.below(pieces.len())]).collect()
    };
    let ann = world.user("ann");
    for resource in [ann.v1_tasks(), ann.ideas()] {
        let long = resource.long_text();
        let mut rows = Vec::new();
        while rows.len() < 60 {
            let (title, more) = (text(&mut dice, 8), text(&mut dice, 12));
            if !title.trim().is_empty() {
                rows.push(resource.create(json!({ "title": title, (long): more })).await.is(201));
            }
        }
        for round in 0..160 {
            // Every other word is a piece of one to three signs out of a row.
            let query = if round % 2 == 0 {
                text(&mut dice, 4)
            } else {
                let signs: Vec<_> = rows[dice.below(60)][long].as_str().unwrap_or_default().chars().collect();
                signs.iter().skip(dice.below(signs.len() + 1)).take(1 + dice.below(3)).collect()
            };
            let contains = |row: &Value, word: &str| {
                ["title", long]
                    .iter()
                    .any(|name| fold(row[*name].as_str().unwrap_or_default()).contains(&fold(word)))
            };
            let mut expected: Vec<_> = rows
                .iter()
                .filter(|row| query.split_whitespace().all(|word| contains(row, word)))
                .map(|row| row["id"].to_string())
                .collect();
            let answer = resource.rows(&format!("limit=100&search={}", encode(&query))).await;
            let mut ids: Vec<_> = answer.iter().map(|row| row["id"].to_string()).collect();
            expected.sort_unstable();
            ids.sort_unstable();
            assert_eq!(ids, expected, "search {query:?}");
        }
    }
}
