use axum::body::Body;
use http::header::{ACCEPT, CONTENT_ENCODING, ETAG, HOST, IF_NONE_MATCH, VARY};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::*;
use crate::clock::Clock;
use crate::config::Config;

/// Every public page and file.
const PATHS: [&str; 14] = [
    "/",
    "/welcome.css",
    "/welcome.js",
    "/favicon.svg",
    "/openapi.json",
    "/docs",
    "/docs/start.js",
    "/docs/swagger-ui.css",
    "/docs/swagger-ui-bundle.js",
    "/redoc",
    "/redoc/redoc.css",
    "/redoc/start.js",
    "/redoc/redoc.standalone.js",
    "/redoc/redoc.standalone.js.LICENSE.txt",
];

/// A server of its own folder; dev mode unless a secret is set.
struct Site {
    routes: Router,
    _folder: tempfile::TempDir,
}

impl Site {
    async fn open(vars: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("rows.db").display());
        let mut all = vec![("DATABASE_URL".to_owned(), url)];
        all.extend(vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let app = App::open(Config::from_vars(all).unwrap().0, Clock::system()).await.unwrap();
        Self { routes: routes(crate::api::openapi).with_state(app), _folder: folder }
    }

    async fn live() -> Self {
        Self::open(&[("BETTER_AUTH_SECRET", "q7dK2mZx9vRw4tYb8nLc3hJf6gPs1aQe")]).await
    }

    async fn get(&self, path: &str, headers: &[(http::HeaderName, &str)]) -> (http::response::Parts, Bytes) {
        let mut request = Request::get(path);
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        let response = self.routes.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (head, body) = response.into_parts();
        (head, body.collect().await.unwrap().to_bytes())
    }

    async fn text(&self, path: &str) -> String {
        String::from_utf8(self.get(path, &[]).await.1.to_vec()).unwrap()
    }
}

fn header<'a>(head: &'a http::response::Parts, name: &http::HeaderName) -> &'a str {
    head.headers.get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn every_file_is_there_with_a_type_and_a_word_on_caching() {
    let site = Site::live().await;
    for path in PATHS {
        let (head, body) = site.get(path, &[]).await;
        assert_eq!(head.status, StatusCode::OK, "{path}");
        assert!(!body.is_empty() && !header(&head, &CONTENT_TYPE).is_empty(), "{path}");
        assert_eq!(header(&head, &CACHE_CONTROL), "no-cache", "{path}");
        let gzipped = body.starts_with(&[0x1f, 0x8b]);
        assert_eq!(gzipped, header(&head, &CONTENT_ENCODING) == "gzip", "{path}");
    }
    assert_eq!(site.get("/docs/index.html", &[]).await.0.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_the_client_has_is_not_sent_again() {
    let site = Site::live().await;
    for path in PATHS.into_iter().filter(|path| *path != "/") {
        let (head, _) = site.get(path, &[]).await;
        let tag = header(&head, &ETAG).to_owned();
        assert!(tag.starts_with('"'), "{path}");
        for held in [tag.clone(), format!("\"x\", W/{tag}"), "*".to_owned()] {
            let (head, body) = site.get(path, &[(IF_NONE_MATCH, &held)]).await;
            assert_eq!((head.status, body.len()), (StatusCode::NOT_MODIFIED, 0), "{path} {held}");
            assert_eq!(header(&head, &ETAG), tag, "{path}");
        }
        assert_eq!(site.get(path, &[(IF_NONE_MATCH, "\"other\"")]).await.0.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn pages_name_no_other_origin_and_hold_no_script_or_style() {
    let site = Site::open(&[]).await;
    for path in ["/", "/docs", "/redoc"] {
        let text = site.text(path).await;
        assert!(text.starts_with("<!doctype html>\n<html lang=\"en\">"), "{path}");
        for part in text.split('<').filter(|part| part.contains("src=") || part.contains("href=")) {
            let own = ["src=\"/", "href=\"/"].iter().any(|own| part.contains(own));
            assert!(own && !part.contains("=\"//"), "{path}: {part}");
        }
        for banned in ["<style", "style=", "javascript:", " onload", " onclick", "<script>"] {
            assert!(!text.contains(banned), "{path} holds {banned}");
        }
    }
}

#[tokio::test]
async fn policies_are_no_wider_than_needed() {
    let site = Site::live().await;
    let policy = |head: &http::response::Parts| header(head, &CONTENT_SECURITY_POLICY).to_owned();
    for path in ["/docs", "/redoc"] {
        let policy = policy(&site.get(path, &[]).await.0);
        assert!(policy.starts_with("default-src 'self'; "), "{path}: {policy}");
        for banned in ["http", "*", "unsafe-eval", "script-src", "connect-src"] {
            assert!(!policy.contains(banned), "{path}: {policy}");
        }
    }
    // Everything else is under the general policy.
    assert_eq!(policy(&site.get("/", &[]).await.0), "");
}

#[tokio::test]
async fn redocs_bundle_reaches_for_no_other_origin() {
    let packed = std::io::Cursor::new(include_bytes!("../../../assets/redoc/redoc.standalone.js.gz"));
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(packed), &mut text).unwrap();
    for host in ["cdn.redoc.ly", "cdn.redocly.com", "fonts.googleapis.com"] {
        assert!(!text.contains(host), "{host}");
    }
    assert!(text.contains("Redoc"));
}

#[tokio::test]
async fn the_document_is_json_with_its_schemes() {
    let site = Site::live().await;
    let (head, body) = site.get("/openapi.json", &[]).await;
    assert_eq!(header(&head, &CONTENT_TYPE), "application/json");
    let document: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let schemes = document["components"]["securitySchemes"].as_object().unwrap();
    assert!(schemes.values().any(|scheme| scheme["type"] == "http" && scheme["scheme"] == "bearer"));
}

#[tokio::test]
async fn in_dev_mode_page_and_swagger_hold_a_token_that_is_accepted_and_kept_by_nobody() {
    let folder_of = Site::open(&[]).await;
    for path in ["/", "/docs/start.js"] {
        let (head, body) = folder_of.get(path, &[(HOST, "localhost:8000")]).await;
        assert_eq!(header(&head, &CACHE_CONTROL), "no-store", "{path}");
        let text = String::from_utf8(body.to_vec()).unwrap();
        let token = text.split(['"', '<', '>', ' ', '\'']).find(|part| part.starts_with("eyJ")).unwrap();
        assert_eq!(token.split('.').count(), 3, "{path}");
    }
    let page = folder_of.text("/").await;
    assert!(page.contains("Dev mode") && page.contains("curl -X POST http://localhost:8000/api/tasks"));
}

#[tokio::test]
async fn with_a_key_source_nothing_shows_a_token() {
    let site = Site::live().await;
    for path in ["/", "/docs/start.js"] {
        let text = site.text(path).await;
        assert!(
            !text.contains("eyJ") && !text.contains("Dev mode") && !text.contains("demoToken ="),
            "{path}"
        );
    }
    assert!(site.text("/").await.contains("Authorization: Bearer $TOKEN"));
}

#[tokio::test]
async fn a_program_gets_facts_and_a_browser_the_page() {
    let site = Site::open(&[]).await;
    let (head, body) = site.get("/", &[(ACCEPT, "application/json")]).await;
    let facts: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(facts["service"], "creatorvault");
    assert_eq!(facts["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!((&facts["docs"], &facts["redoc"]), (&"/docs".into(), &"/redoc".into()));
    assert_eq!(header(&head, &VARY), "Accept");
    let (head, _) = site.get("/", &[(ACCEPT, "text/html,application/xhtml+xml,*/*;q=0.8")]).await;
    assert_eq!(header(&head, &CONTENT_TYPE), "text/html; charset=utf-8");
}
