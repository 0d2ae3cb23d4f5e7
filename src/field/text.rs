//! Titles and long texts, and the folded form in which texts are searched and sorted.

use std::borrow::Cow;

use icu_casemap::CaseMapper;
use icu_normalizer::ComposingNormalizer;
use serde_json::Value;

use super::form::Field;

/// A title: trimmed of white space, not blank, at most `MAX` Unicode scalar values, without U+0000.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Title<const MAX: usize>(String);

/// A long text: kept and counted exactly as sent, at most `MAX` Unicode scalar values, without U+0000; may be empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LongText<const MAX: usize>(String);

impl<const MAX: usize> Title<MAX> {
    /// The title.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The title, given away.
    pub fn into_string(self) -> String {
        self.0
    }
}

impl<const MAX: usize> LongText<MAX> {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, given away.
    pub fn into_string(self) -> String {
        self.0
    }
}

impl<const MAX: usize> Field for Title<MAX> {
    fn parse(label: &str, value: &Value) -> Result<Self, String> {
        let title = string(label, value)?.trim();
        if title.is_empty() {
            return Err(format!("{label} is required"));
        }
        bounded(label, title, MAX).map(Self)
    }
}

impl<const MAX: usize> Field for LongText<MAX> {
    fn parse(label: &str, value: &Value) -> Result<Self, String> {
        bounded(label, string(label, value)?, MAX).map(Self)
    }
}

fn string<'v>(label: &str, value: &'v Value) -> Result<&'v str, String> {
    value.as_str().ok_or_else(|| format!("{label} must be a string"))
}

fn bounded(label: &str, text: &str, max: usize) -> Result<String, String> {
    // A text of at most `max` bytes has at most `max` characters: the usual one is not counted.
    if text.len() > max && text.chars().nth(max).is_some() {
        return Err(format!("{label} exceeds maximum length of {max} characters"));
    }
    // PostgreSQL cannot hold U+0000 in a text.
    if text.contains('\0') {
        return Err(format!("{label} must not contain the character U+0000"));
    }
    Ok(text.to_owned())
}

/// The form in which texts are compared regardless of case: normal form C (UAX #15), then full Unicode case folding
/// (Unicode Standard, section 3.13), so `Straße` and `STRASSE` are the same in any script and however they were typed.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let normal: Cow<'_, str> = ComposingNormalizer::new_nfc().normalize(text);
    CaseMapper::new().fold_string(&normal).into_owned()
}

#[cfg(test)]
mod tests {
    use icu_normalizer::DecomposingNormalizer;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    type Short = Title<5>;
    type Note = LongText<5>;

    fn title(value: &Value) -> Result<String, String> {
        Short::parse("Title", value).map(Short::into_string)
    }

    fn note(value: &Value) -> Result<String, String> {
        Note::parse("Notes", value).map(Note::into_string)
    }

    #[test]
    fn a_title_is_trimmed_and_not_blank() {
        assert_eq!(title(&json!(" \t\u{a0}ab c\u{3000}\n")), Ok("ab c".to_owned()));
        for blank in ["", "   ", "\n\t", "\u{2003}\u{3000}"] {
            assert_eq!(title(&json!(blank)), Err("Title is required".to_owned()));
        }
        for other in [json!(1), json!(true), json!(["a"]), json!({"a": 1}), json!(1.5)] {
            assert_eq!(title(&other), Err("Title must be a string".to_owned()));
        }
    }

    #[test]
    fn length_counts_unicode_scalar_values() {
        let family = "\u{1F468}\u{200D}\u{1F469}\u{200D}\u{1F467}";
        for fits in ["abcde", "ééééé", "日本語日本", family, "e\u{301}e\u{301}e"] {
            assert_eq!(title(&json!(fits)), Ok(fits.to_owned()), "{fits}");
            assert_eq!(note(&json!(fits)), Ok(fits.to_owned()), "{fits}");
            let longer = format!("{fits}x");
            let complaint = " exceeds maximum length of 5 characters";
            assert_eq!(title(&json!(longer)), Err(format!("Title{complaint}")), "{fits}");
            assert_eq!(note(&json!(longer)), Err(format!("Notes{complaint}")), "{fits}");
        }
        assert_eq!(title(&json!("  abcde     ")), Ok("abcde".to_owned()));
    }

    #[test]
    fn a_long_text_is_kept_and_counted_as_sent() {
        for text in ["", " ", " a \n", "\t\t\t\t\t"] {
            assert_eq!(note(&json!(text)), Ok(text.to_owned()));
        }
        assert!(note(&json!("abcd  ")).is_err());
        assert_eq!(note(&json!(0)), Err("Notes must be a string".to_owned()));
    }

    #[test]
    fn u0000_is_refused() {
        assert_eq!(title(&json!("a\0b")), Err("Title must not contain the character U+0000".to_owned()));
        assert_eq!(title(&json!("\0")), Err("Title must not contain the character U+0000".to_owned()));
        assert_eq!(note(&json!("\0")), Err("Notes must not contain the character U+0000".to_owned()));
    }

    #[test]
    fn folding_ignores_case_and_the_way_of_typing() {
        for (one, other) in [
            ("Hello 42%_\\", "hello 42%_\\"),
            ("Straße", "STRASSE"),
            ("ÉCOLE", "e\u{301}cole"),
            ("ΟΔΥΣΣΕΥΣ", "οδυσσευς"),
            ("ПРИВЕТ", "привет"),
            ("\u{FB01}n", "FIN"),
            ("\u{212B}", "å"),
            ("\u{1E9E}", "ss"),
        ] {
            assert_eq!(fold(one), fold(other), "{one} {other}");
        }
        assert_ne!(fold("I"), fold("\u{131}"), "folding belongs to no language");
    }

    proptest! {
        #[test]
        fn folding_its_own_output_changes_nothing(text in "[\\p{L}\\p{N} %_-]{0,20}") {
            let once = fold(&text);
            prop_assert_eq!(fold(&once), once);
        }

        #[test]
        fn the_ascii_shortcut_folds_like_the_rest(text in "[ -~]{0,20}") {
            prop_assert_eq!(format!("{}é", fold(&text)), fold(&format!("{text}é")));
        }

        #[test]
        fn equivalent_spellings_fold_alike(text in "\\PC{0,20}") {
            let apart = DecomposingNormalizer::new_nfd().normalize(&text).into_owned();
            prop_assert_eq!(fold(&apart), fold(&text));
        }

        #[test]
        fn whatever_is_accepted_obeys_the_rules(text in any::<String>()) {
            if let Ok(title) = title(&json!(text)) {
                prop_assert_eq!(title.as_str(), text.trim());
                prop_assert!((1..=5).contains(&title.chars().count()) && !title.contains('\0'));
            }
            match note(&json!(text)) {
                Ok(kept) => prop_assert_eq!(kept, text),
                Err(_) => prop_assert!(text.chars().count() > 5 || text.contains('\0')),
            }
        }
    }

    proptest! {
        #[test]
        fn a_title_is_accepted_when_its_rule_says_so(text in "[\\s\0aé字👨\u{200d}]{0,14}|.{0,14}") {
            let read = Title::<10>::parse("Title", &Value::from(text.as_str())).map(Title::into_string);
            let trimmed = text.trim();
            let good = (1..=10).contains(&trimmed.chars().count()) && !trimmed.contains('\0');
            prop_assert_eq!(read.ok(), good.then(|| trimmed.to_owned()));
        }

        #[test]
        fn a_long_text_is_kept_as_it_is_or_refused(text in "[\\s\0aé字👨\u{200d}]{0,14}|.{0,14}") {
            let read = LongText::<10>::parse("Notes", &Value::from(text.as_str())).map(LongText::into_string);
            let good = text.chars().count() <= 10 && !text.contains('\0');
            prop_assert_eq!(read.ok(), good.then_some(text));
        }
    }
}
