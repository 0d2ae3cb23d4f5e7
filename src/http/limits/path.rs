//! What a path may look like before it is routed.

use http::Uri;
use http::uri::PathAndQuery;

use super::{ApiError, Missing, Refused};

/// Percent-encoding must be right (RFC 3986 section 2.1), decoded bytes must be UTF-8 without U+0000, and no segment
/// may be empty; one slash at the end is no segment.
pub(super) fn check(path: &str) -> Result<(), Refused> {
    if path.contains('%') {
        check_encoding(path)?;
    }
    if !path.starts_with('/') || path.contains("//") {
        return Err(ApiError::NotFound(Missing::Path).into());
    }
    Ok(())
}

fn check_encoding(path: &str) -> Result<(), Refused> {
    let wrong = |text: &str| Err(ApiError::BadRequest(text.to_owned()).into());
    let complete =
        |rest: &str| rest.as_bytes().get(..2).is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit));
    if !path.split('%').skip(1).all(complete) {
        return wrong("The path has a % that is not followed by two hexadecimal digits");
    }
    match percent_encoding::percent_decode_str(path).decode_utf8() {
        Err(_) => wrong("The path is not valid UTF-8"),
        Ok(decoded) if decoded.contains('\0') => wrong("The path has a null character"),
        Ok(_) => Ok(()),
    }
}

/// The same target without the slash at the end of its path; `None` where there is none to take away.
pub(super) fn without_trailing_slash(uri: &Uri) -> Option<Result<Uri, ()>> {
    let path = uri.path().strip_suffix('/').filter(|path| !path.is_empty())?;
    let target = match uri.query() {
        Some(query) => PathAndQuery::try_from(format!("{path}?{query}")),
        None => PathAndQuery::try_from(path),
    };
    let mut parts = uri.clone().into_parts();
    Some(target.map_err(drop).and_then(|target| {
        parts.path_and_query = Some(target);
        Uri::from_parts(parts).map_err(drop)
    }))
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use proptest::prelude::*;

    use super::*;

    fn status(path: &str) -> Option<StatusCode> {
        check(path).err().map(|refused| refused.error.status())
    }

    #[test]
    fn the_corpus_of_paths() {
        for good in ["/", "/a", "/a/", "/a%20b", "/a%2Fb", "/%E2%9C%93", "/a%25zz", "/a+b", "/é", "/a%2f%2f"]
        {
            assert_eq!(status(good), None, "{good}");
        }
        for bad in [
            "/%",
            "/%2",
            "/%zz",
            "/a%2",
            "/%+1",
            "/%00",
            "/a%00b/",
            "/%ff",
            "/%C3",
            "/%C0%80",
            "/%ED%A0%80",
            "/%é",
        ] {
            assert_eq!(status(bad), Some(StatusCode::BAD_REQUEST), "{bad}");
        }
        for empty in ["//", "//a", "/a//b", "/a//", "", "*"] {
            assert_eq!(status(empty), Some(StatusCode::NOT_FOUND), "{empty}");
        }
        assert_eq!(
            status("//%zz"),
            Some(StatusCode::BAD_REQUEST),
            "a path that cannot be read has no segments"
        );
    }

    #[test]
    fn one_slash_goes_away() {
        let short =
            |uri: &str| without_trailing_slash(&uri.parse().unwrap()).map(|uri| uri.unwrap().to_string());
        assert_eq!(short("/"), None);
        assert_eq!(short("/a"), None);
        assert_eq!(short("/a/").as_deref(), Some("/a"));
        assert_eq!(short("/a/?x=/").as_deref(), Some("/a?x=/"));
        assert_eq!(short("http://host/a/?x").as_deref(), Some("http://host/a?x"));
    }

    proptest! {
        #[test]
        fn no_path_breaks_the_check(path in "/[a-c%/0-9é]*") {
            if status(&path).is_none() {
                let decoded = percent_encoding::percent_decode_str(&path).decode_utf8();
                prop_assert!(decoded.is_ok_and(|text| !text.contains('\0')));
            }
        }
    }
}
