use proptest::prelude::*;

use super::*;
use crate::ideas::IdeaFilter;
use crate::list::order::State;
use crate::tasks::TaskFilter;

const SORTS: [&str; 9] = [
    "created_at",
    "-updated_at",
    "title",
    "-priority",
    "completed",
    "-due_date",
    "-priority,title",
    "due_date,-completed,title",
    "title,-due_date,created_at",
];

/// The order and the binding of a list of tasks.
fn tasks(query: &str) -> (Order, Binding) {
    let mut invalid = Invalid::default();
    let params = Params::parse(query).unwrap();
    let order = Order::read(&params, State::Completed, &mut invalid);
    let filter = TaskFilter::read(&params, Timestamp::from_seconds(1), &mut invalid);
    assert!(invalid.is_empty(), "{query}: {invalid:?}");
    let binding = filter.binding(&order);
    (order, binding)
}

fn read(text: &str, (order, binding): &(Order, Binding)) -> Result<Cursor, Invalid> {
    let escaped: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let params = Params::parse(&format!("cursor={escaped}")).unwrap();
    let mut invalid = Invalid::default();
    let cursor = Cursor::read(&params, order, *binding, &mut invalid);
    invalid.into_result()?;
    Ok(cursor.unwrap())
}

fn damaged() -> Result<Cursor, Invalid> {
    Err(Invalid::one("cursor", DAMAGED))
}

/// Some value for a key, as chance has it.
fn value(key: super::super::Key, number: i64, text: &str) -> Value {
    use super::super::Key;
    match key {
        Key::CreatedAt | Key::UpdatedAt => Value::Time(Some(Timestamp::from_micros(number))),
        Key::DueDate => Value::Time((number % 2 == 0).then(|| Timestamp::from_micros(number))),
        Key::Title => Value::Text(Some(text.replace('\0', ""))),
        Key::Priority => Value::Int(number.rem_euclid(3) + 1),
        Key::State(State::Stage) => Value::Int(number.rem_euclid(4) + 1),
        Key::State(State::Completed) => Value::Bool(number % 2 == 0),
    }
}

fn sealed(mut bytes: Vec<u8>) -> String {
    bytes.extend(checksum(&bytes));
    URL_SAFE_NO_PAD.encode(bytes)
}

#[test]
fn the_text_is_the_same_in_every_release() {
    let list = tasks("sort=-due_date,title&tags=b,a&status=pending&overdue=true");
    let position = Position {
        values: vec![
            Value::Time(Some(Timestamp::from_seconds(1_800_000_000))),
            Value::Text(Some("straße".into())),
        ],
        id: Uuid::from_u128(0x0189_0000_0000_7000_8000_0000_0000_0001),
    };
    let cursor = Cursor { way: Way::Prev, position };
    let text = "AQGpmtbfot9tSAEABmUXKJiAAAIAB3N0cmHDn2UBiQAAAABwAIAAAAAAAAABdbPsSg";
    assert_eq!(cursor.write(list.1), text);
    assert_eq!(read(text, &list), Ok(cursor));
}

#[test]
fn it_is_bound_to_what_was_asked_and_not_to_how() {
    let asked = tasks("sort=-priority&tags=a,b&search=x+Y&status=pending");
    for same in [
        "sort=priority&order=desc&tags=b&tags=a&q=y%20X&completed=false&limit=3&count=false&offset=7",
        "sort_by=priority&tags=b,a,b&search=Y+X+y&status=active",
    ] {
        assert_eq!(tasks(same).1, asked.1, "{same}");
    }
    let mut others = vec![asked.1];
    for other in [
        "",
        "order=asc",
        "sort=-priority&tags=a,b&search=x+Y",
        "sort=-priority&tags=a,b&search=xY&status=pending",
        "sort=-priority&tags=a&tags=b&tag_mode=all&search=x+Y&status=pending",
        "sort=-priority&tags=ab&search=x+Y&status=pending",
        "sort=-priority,title&tags=a,b&search=x+Y&status=pending",
        "tags=x;search=1:y",
        "tags=x&search=y",
        "status=completed",
        "completed=true&status=pending",
        "priority=low",
        "due_before=2030-01-01",
        "due_after=2030-01-01",
        "due_after=2030-01-01T00:00:00.000001Z",
        "overdue=true",
        "overdue=false",
        "has_due_date=true",
        "has_due_date=false",
    ] {
        let binding = tasks(other).1;
        assert!(!others.contains(&binding), "{other}");
        others.push(binding);
    }
    assert_eq!(tasks("tags=a&tag_mode=all").1, tasks("tags=a").1, "one tag is any and all");
    let later =
        TaskFilter::read(&Params::parse("overdue=true").unwrap(), Timestamp::MAX, &mut Invalid::default());
    assert_eq!(later.binding(&Order::default()), tasks("overdue=true").1, "the time goes on between pages");
    assert_ne!(IdeaFilter::default().binding(&Order::default()), tasks("").1, "ideas are no tasks");
}

#[test]
fn another_list_and_damage_are_told_apart() {
    let (order, binding) = tasks("sort=title");
    let position = Position { values: vec![Value::Text(Some("a".into()))], id: Uuid::nil() };
    let text = Cursor { way: Way::Next, position }.write(binding);
    assert_eq!(read(&text, &tasks("sort=title&order=asc")), Err(Invalid::one("cursor", FOREIGN)));
    let list = (order, binding);
    for broken in
        ["", "=", "AQ", "a+b/", &text[1..], &text[..text.len() - 1], &format!("{text}A"), &format!("{text}=")]
    {
        assert_eq!(read(broken, &list), damaged(), "{broken}");
    }
    let mut newer = URL_SAFE_NO_PAD.decode(&text).unwrap();
    newer.truncate(newer.len() - CHECK);
    let whole = newer.clone();
    assert_eq!(sealed(whole.clone()), text);
    newer[0] = VERSION + 1;
    assert_eq!(read(&sealed(newer), &list), damaged());
    // Whole, but nothing that we write: no such way, too long, U+0000, a time for a title.
    for (place, byte) in [(1, 2), (13, 0), (10, TIME), (10, NONE), (12, 200)] {
        let mut forged = whole.clone();
        forged[place] = byte;
        assert_eq!(read(&sealed(forged), &list), damaged(), "{place}");
    }
    assert_eq!(read(&sealed([whole, vec![0]].concat()), &list), damaged());
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        sort in proptest::sample::select(&SORTS[..]),
        back in any::<bool>(),
        number in any::<i64>(),
        text in ".{0,40}",
        id in any::<u128>(),
    ) {
        let list = tasks(&format!("sort={sort}"));
        let values = list.0.keys().iter().map(|(key, _)| value(*key, number, &text)).collect();
        let way = if back { Way::Prev } else { Way::Next };
        let cursor = Cursor { way, position: Position { values, id: Uuid::from_u128(id) } };
        prop_assert_eq!(read(&cursor.write(list.1), &list), Ok(cursor));
    }

    #[test]
    fn anything_else_is_refused_and_never_panics(
        sort in proptest::sample::select(&SORTS[..]),
        text in ".{0,120}",
        mut bytes in proptest::collection::vec(any::<u8>(), 0..120),
        place in any::<proptest::sample::Index>(),
        flip in 1_u8..,
    ) {
        let list = tasks(&format!("sort={sort}"));
        prop_assert!(read(&text, &list).is_err());
        prop_assert!(read(&URL_SAFE_NO_PAD.encode(&bytes), &list).is_err());
        // Behind the right beginning and with a right checksum it is read to its end.
        bytes.splice(0..0, [VERSION, 0].into_iter().chain(list.1.0));
        if let Ok(cursor) = read(&sealed(bytes.clone()), &list) {
            prop_assert_eq!(cursor.write(list.1), sealed(bytes));
        }
        // One byte of a good one is another.
        let values = list.0.keys().iter().map(|(key, _)| value(*key, i64::from(flip), &text)).collect();
        let good = Cursor { way: Way::Next, position: Position { values, id: Uuid::max() } }.write(list.1);
        let mut mutated = URL_SAFE_NO_PAD.decode(good).unwrap();
        let place = place.index(mutated.len());
        mutated[place] ^= flip;
        prop_assert!(read(&URL_SAFE_NO_PAD.encode(mutated), &list).is_err());
    }
}
