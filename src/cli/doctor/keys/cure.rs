//! What to do when there is no key set where one is looked for.

use crate::auth::probe::{Published, Sight};
use crate::config::auth::AuthConfig;

/// The cure for what was found, or not found, at the key set's address.
pub(super) fn of_key_set(auth: &AuthConfig, seen: &Sight<Published>, reason: &str) -> String {
    let variable = if auth.key_set_url.is_some() { "BETTER_AUTH_JWKS_URL" } else { "BETTER_AUTH_URL" };
    let says = |part: &str| reason.contains(part);
    match seen.status {
        _ if says("redirect") => format!("set {variable} to the address that it leads to"),
        Some(404 | 410) => format!(
            "add the jwt() plugin to Better Auth; if it is there, put {variable} right (with a base path of its own, \
             such as https://app.example.com/auth), or name the whole address in BETTER_AUTH_JWKS_URL"
        ),
        Some(401 | 403) => {
            "let the address be read without a login: a key set is public (a platform's deployment protection may be on)"
                .to_owned()
        }
        Some(500..) => {
            "look into the auth server's log: it may lack the table jwks (run its migrations)".to_owned()
        }
        Some(_) => format!(
            "put {variable} right: it is the address of the application that serves /api/auth, and the key set there \
             reads {{\"keys\": […]}}"
        ),
        None if says("certificate") => {
            format!("give the auth server a certificate that this machine trusts, or put {variable} right")
        }
        None => "start the auth server; if this server reaches it under another name (in a container localhost is the \
                 container itself), set BETTER_AUTH_JWKS_URL to that address"
            .to_owned(),
    }
}
