//! Query parameters: decoded once, read by name, every complaint collected.

use percent_encoding::percent_decode_str;
use thiserror::Error;

use super::Invalid;
use super::choice::Choice;
use super::due::DueDate;
use super::timestamp::Timestamp;
use super::unknown::Unknown;
use super::zone::Zone;

/// Why a query string cannot be read at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ParamsError {
    /// A `%` that is not followed by two hexadecimal digits.
    #[error("The query string has bad percent-encoding")]
    PercentEncoding,
    /// What was encoded is not UTF-8.
    #[error("The query string is not valid UTF-8")]
    NotUtf8,
}

/// The decoded pairs of a query string, in order.
///
/// The readers take a parameter's names, the first being its own and the others its aliases. What they cannot read they
/// complain about under the name that was sent.
#[derive(Debug, Clone, Default)]
pub struct Params {
    pairs: Vec<(String, String)>,
    strict: bool,
}

impl Params {
    /// Decodes a query string (`application/x-www-form-urlencoded`: `+` is a space), strictly.
    ///
    /// # Errors
    /// Bad percent-encoding, or bytes that are not UTF-8.
    pub fn parse(query: &str) -> Result<Self, ParamsError> {
        let mut pairs = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            pairs.push((decoded(name)?, decoded(value)?));
        }
        Ok(Self { pairs, strict: false })
    }

    /// The same, complaining about names that nobody knows if `strict`.
    #[must_use]
    pub fn handled(self, strict: bool) -> Self {
        Self { strict, ..self }
    }

    /// Complains about every name that is not among the known ones, where strict handling was asked for; to be asked of
    /// every query. (U+0000 in a name is complained about already.)
    pub fn check_known(&self, known: &[&[&'static str]], invalid: &mut Invalid) {
        if self.strict {
            Unknown::parameters(self.names().filter(|name| !name.contains('\0')), known).complain(invalid);
        }
    }

    /// Complains about every pair with U+0000, which PostgreSQL cannot hold in a text; to be asked of every query. (The
    /// readers never hand such a value on, but only this one sees the pairs that nobody reads.)
    pub fn check_nul(&self, invalid: &mut Invalid) {
        for (name, value) in &self.pairs {
            if name.contains('\0') || value.contains('\0') {
                complain_nul(invalid, name);
            }
        }
    }

    /// The names and values that were sent, in order, decoded.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The names that were sent, in order, repetitions included.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.pairs.iter().map(|(name, _)| name.as_str())
    }

    /// A parameter that may be given once: `None` when it is absent, or given twice, which is a complaint.
    pub fn one(&self, names: &[&str], invalid: &mut Invalid) -> Option<&str> {
        self.named(names, invalid).map(|(_, value)| value)
    }

    /// A parameter that may be given several times, its values also separated by commas; each trimmed, empty ones left
    /// out.
    pub fn many(&self, names: &[&str]) -> Vec<&str> {
        self.each(names).map(|(_, value)| value).collect()
    }

    /// A whole number of ASCII digits from `min` to `max`.
    pub fn integer(&self, names: &[&str], min: u64, max: u64, invalid: &mut Invalid) -> Option<u64> {
        let (name, value) = self.named(names, invalid)?;
        let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
        let number = value.parse().ok().filter(|number| digits && (min..=max).contains(number));
        if number.is_none() {
            complain_once(invalid, name, format!("{name} must be a whole number from {min} to {max}"));
        }
        number
    }

    /// `true` or `false`, lower case.
    pub fn switch(&self, names: &[&str], invalid: &mut Invalid) -> Option<bool> {
        let (name, value) = self.named(names, invalid)?;
        match value {
            "true" => Some(true),
            "false" => Some(false),
            _ => {
                complain_once(invalid, name, format!("Invalid {name}. Must be one of: true, false"));
                None
            }
        }
    }

    /// One or several choices, each once, in the order they were sent.
    pub fn choices<C: Choice>(&self, names: &[&str], invalid: &mut Invalid) -> Vec<C> {
        let mut choices = Vec::new();
        for (name, word) in self.each(names) {
            match C::from_text(word) {
                Some(choice) if choices.contains(&choice) => {}
                Some(choice) => choices.push(choice),
                None => complain_once(invalid, name, C::complaint()),
            }
        }
        choices
    }

    /// A date in one of the forms that a due date has.
    pub fn date(&self, names: &[&str], invalid: &mut Invalid) -> Option<Timestamp> {
        let (name, value) = self.named(names, invalid)?;
        match DueDate::parse_labelled(name, value) {
            Ok(due) => Some(due.timestamp()),
            Err(mut text) => {
                // The most frequent slip: `+05:00` was sent as it is, and a plus means a space in a query.
                if value.contains(' ') {
                    text.push_str("; a + must be sent as %2B");
                }
                complain_once(invalid, name, text);
                None
            }
        }
    }

    /// A time zone by its IANA name; UTC when there is none.
    pub fn zone(&self, names: &[&str], invalid: &mut Invalid) -> Zone {
        let Some((name, value)) = self.named(names, invalid) else { return Zone::UTC };
        Zone::parse_labelled(name, value).unwrap_or_else(|text| {
            complain_once(invalid, name, text);
            Zone::UTC
        })
    }

    /// The one pair with any of these names, as sent.
    fn named(&self, names: &[&str], invalid: &mut Invalid) -> Option<(&str, &str)> {
        let mut pairs = self.pairs.iter().filter(|(name, _)| names.contains(&name.as_str()));
        let (name, value) = pairs.next()?;
        match pairs.next() {
            None => {}
            Some((again, _)) if again == name => {
                complain_once(invalid, name, format!("{name} must be given once"));
                return None;
            }
            Some((alias, _)) => {
                let text = format!("{name} and {alias} mean the same and must be given once");
                complain_once(invalid, name, text);
                return None;
            }
        }
        if value.contains('\0') {
            complain_nul(invalid, name);
            return None;
        }
        Some((name, value))
    }

    /// Every value of these names, as sent.
    fn each(&self, names: &[&str]) -> impl Iterator<Item = (&str, &str)> {
        self.pairs
            .iter()
            .filter(|(name, _)| names.contains(&name.as_str()))
            .flat_map(|(name, value)| value.split(',').map(move |part| (name.as_str(), part.trim())))
            .filter(|(_, part)| !part.is_empty() && !part.contains('\0'))
    }
}

fn decoded(text: &str) -> Result<String, ParamsError> {
    let bytes = text.as_bytes();
    for (place, _) in text.match_indices('%') {
        let digits = bytes.get(place + 1..place + 3);
        if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
            return Err(ParamsError::PercentEncoding);
        }
    }
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().map(Into::into).map_err(|_| ParamsError::NotUtf8)
}

fn complain_nul(invalid: &mut Invalid, name: &str) {
    let name = name.replace('\0', "\u{FFFD}");
    complain_once(invalid, &name, format!("{name} must not contain the character U+0000"));
}

/// The same complaint about a value given ten times is made once.
fn complain_once(invalid: &mut Invalid, name: &str, text: String) {
    let known = invalid.fields().iter().any(|(field, texts)| field == name && texts.contains(&text));
    if !known {
        invalid.add(name, text);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::choice::Priority;
    use super::*;

    fn params(query: &str) -> Params {
        Params::parse(query).unwrap()
    }

    /// What a reader gave and complained about, as `field: text`.
    fn read<T>(query: &str, reader: impl FnOnce(&Params, &mut Invalid) -> T) -> (T, Vec<String>) {
        let mut invalid = Invalid::default();
        let value = reader(&params(query), &mut invalid);
        let complaints = invalid
            .fields()
            .iter()
            .flat_map(|(name, texts)| texts.iter().map(move |text| format!("{name}: {text}")));
        (value, complaints.collect())
    }

    #[test]
    fn decoded_once_and_strictly() {
        let query = params("a=1+2&b=%C3%A9%2B&c&=d&&e=f=g&a%20b=%2525&é=ü");
        let names: Vec<_> = query.names().collect();
        assert_eq!(names, ["a", "b", "c", "", "e", "a b", "é"]);
        for (name, value) in [("a", "1 2"), ("b", "é+"), ("c", ""), ("e", "f=g"), ("a b", "%25"), ("é", "ü")]
        {
            assert_eq!(query.one(&[name], &mut Invalid::default()), Some(value));
        }
        for bad in ["a=%", "a=%4", "a=%zz", "%=1", "a=%%41", "a=1&b=%+1", "a=%é1"] {
            assert_eq!(Params::parse(bad).unwrap_err(), ParamsError::PercentEncoding, "{bad}");
        }
        for bad in ["a=%ff", "%C3=1", "a=%ED%A0%80", "a=%C0%80"] {
            assert_eq!(Params::parse(bad).unwrap_err(), ParamsError::NotUtf8, "{bad}");
        }
    }

    #[test]
    fn given_twice_is_a_complaint_through_aliases_too() {
        let search =
            |params: &Params, invalid: &mut Invalid| params.one(&["search", "q"], invalid).map(str::to_owned);
        assert_eq!(read("q=a", search), (Some("a".to_owned()), vec![]));
        assert_eq!(read("other=a", search), (None, vec![]));
        assert_eq!(read("search=", search), (Some(String::new()), vec![]));
        assert_eq!(read("q=a&q=a", search), (None, vec!["q: q must be given once".to_owned()]));
        let (value, complaints) = read("q=a&search=b", search);
        assert_eq!(value, None);
        assert_eq!(complaints, ["q: q and search mean the same and must be given once"]);
    }

    #[test]
    fn whole_numbers_are_ascii_digits_within_bounds() {
        let limit = |params: &Params, invalid: &mut Invalid| params.integer(&["limit"], 1, 100, invalid);
        for (query, number) in [("limit=1", 1), ("limit=100", 100), ("limit=007", 7), ("limit=%35", 5)] {
            assert_eq!(read(query, limit), (Some(number), vec![]));
        }
        for bad in [
            "0",
            "-1",
            "101",
            "+5",
            "%2B5",
            "1e3",
            "9223372036854775808",
            "18446744073709551616",
            "",
            "%205",
            "5%20",
            "1.0",
            "0x10",
            "%D9%A5",
            "five",
            "1,2",
        ] {
            let (number, complaints) = read(&format!("limit={bad}"), limit);
            assert_eq!(number, None, "{bad}");
            assert_eq!(complaints, ["limit: limit must be a whole number from 1 to 100"], "{bad}");
        }
        assert_eq!(
            read("limit=1&limit=1", limit),
            (None, vec!["limit: limit must be given once".to_owned()])
        );
        let all = |params: &Params, invalid: &mut Invalid| params.integer(&["n"], 0, u64::MAX, invalid);
        assert_eq!(read("n=18446744073709551615", all).0, Some(u64::MAX));
    }

    #[test]
    fn switches_are_true_or_false() {
        let overdue = |params: &Params, invalid: &mut Invalid| params.switch(&["overdue"], invalid);
        assert_eq!(read("overdue=true", overdue), (Some(true), vec![]));
        assert_eq!(read("overdue=false", overdue), (Some(false), vec![]));
        for bad in ["True", "1", "", "yes", "true%20"] {
            let (value, complaints) = read(&format!("overdue={bad}"), overdue);
            assert_eq!(value, None);
            assert_eq!(complaints, ["overdue: Invalid overdue. Must be one of: true, false"]);
        }
    }

    #[test]
    fn several_values_by_repeating_or_by_commas() {
        assert_eq!(params("tags=a,b&x=c&tags=+d+,,&tags=").many(&["tags"]), ["a", "b", "d"]);
        let chosen =
            |params: &Params, invalid: &mut Invalid| params.choices::<Priority>(&["priority"], invalid);
        let (found, complaints) = read("priority=low,high&priority=low", chosen);
        assert_eq!((found, complaints), (vec![Priority::Low, Priority::High], vec![]));
        let (found, complaints) = read("priority=low,urgent&priority=High", chosen);
        assert_eq!(found, [Priority::Low]);
        assert_eq!(complaints, ["priority: Invalid priority. Must be one of: high, medium, low"]);
    }

    #[test]
    fn dates_have_the_forms_of_a_due_date() {
        let after =
            |params: &Params, invalid: &mut Invalid| params.date(&["due_after", "due_date_from"], invalid);
        let (date, complaints) = read("due_date_from=2026-03-01T05:30:00%2B05:30", after);
        assert_eq!(date.map(|date| date.to_string()).as_deref(), Some("2026-03-01T00:00:00Z"));
        assert!(complaints.is_empty());
        let rule = "must be an RFC 3339 date-time or a date (YYYY-MM-DD)";
        let (_, complaints) = read("due_after=soon", after);
        assert_eq!(complaints, [format!("due_after: due_after {rule}")]);
        let (_, complaints) = read("due_date_from=2026-03-01T05:30:00+05:30", after);
        assert_eq!(complaints, [format!("due_date_from: due_date_from {rule}; a + must be sent as %2B")]);
    }

    #[test]
    fn u0000_is_told_once_and_never_handed_on() {
        let query = "search=a%00&tags=x,y%00&tags=%00&n%00=1&search=%00b&limit=5%00";
        let ((), complaints) = read(query, |params, invalid| {
            params.one(&["n\0"], invalid);
            params.check_nul(invalid);
            params.check_nul(invalid);
            params.integer(&["limit"], 1, 100, invalid);
        });
        let about = |name: &str| format!("{name}: {name} must not contain the character U+0000");
        assert_eq!(complaints, [about("search"), about("tags"), about("n\u{FFFD}"), about("limit")]);
        assert_eq!(params(query).many(&["tags"]), ["x"]);
        assert_eq!(params("search=a%00").one(&["search"], &mut Invalid::default()), None);
    }

    proptest! {
        #[test]
        fn arbitrary_queries_never_panic(query in "[a-c=&%+,0-9\\x00]{0,40}|\\PC{0,60}") {
            if let Ok(params) = Params::parse(&query) {
                let mut invalid = Invalid::default();
                params.check_nul(&mut invalid);
                params.integer(&["a"], 0, 9, &mut invalid);
                params.switch(&["a", "b"], &mut invalid);
                params.date(&["b"], &mut invalid);
                params.choices::<Priority>(&["c"], &mut invalid);
                prop_assert!(params.many(&["a"]).iter().all(|value| !value.is_empty()));
            }
        }

        #[test]
        fn what_is_encoded_is_decoded_back(name in "\\PC{1,10}", value in any::<String>()) {
            let encode = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
            let params = params(&format!("{}={}", encode(&name), encode(&value)));
            prop_assert_eq!(&params.pairs, &[(name, value)]);
        }

        #[test]
        fn every_number_in_bounds_is_read(number in 0_u64..=1 << 53) {
            let offset = |params: &Params, invalid: &mut Invalid| params.integer(&["o"], 0, 1 << 53, invalid);
            prop_assert_eq!(read(&format!("o={number}"), offset), (Some(number), vec![]));
        }
    }

    proptest! {
        #[test]
        fn what_a_browser_encodes_is_read_as_it_was(pairs in prop::collection::vec(("\\PC{0,6}", ".{0,12}"), 0..6)) {
            let mut url = reqwest::Url::parse("http://x/").unwrap();
            url.query_pairs_mut().extend_pairs(&pairs);
            let params = Params::parse(url.query().unwrap_or_default()).unwrap();
            let read: Vec<_> = params.pairs().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            prop_assert_eq!(read, pairs);
        }

        #[test]
        fn what_is_read_is_what_a_browser_reads(query in "[a-c=&+%0-9A-F]{0,40}") {
            if let Ok(params) = Params::parse(&query) {
                let url = reqwest::Url::parse(&format!("http://x/?{query}")).unwrap();
                let browser: Vec<_> = url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
                let read: Vec<_> = params.pairs().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
                prop_assert_eq!(read, browser);
            }
        }
    }
}
