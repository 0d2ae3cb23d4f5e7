//! Where `/metrics` is: `METRICS_ADDRESS`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::{Environment, Reader};

/// Where `/metrics` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// On the API's port: in development, where nobody else asks.
    Beside,
    /// On an address of its own.
    Own(SocketAddr),
    /// Nowhere.
    Off,
}

/// The settings of what the server tells about itself.
#[derive(Debug, Clone)]
pub struct MetricsConfig {
    /// `METRICS_ADDRESS`.
    pub place: Place,
    /// Whether somebody asked for the place: what nobody asked for may be left out.
    pub place_set: bool,
}

impl MetricsConfig {
    /// Reads where `/metrics` is; what is wrong with it is noted in `reader`.
    pub fn read(reader: &mut Reader, environment: Environment) -> Self {
        let usual = match environment {
            Environment::Development => Place::Beside,
            Environment::Production => Place::Own(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9090)),
        };
        let place_set = reader.text("METRICS_ADDRESS").is_some();
        Self { place: reader.parse("METRICS_ADDRESS", usual, parse), place_set }
    }
}

fn parse(text: &str) -> Result<Place, String> {
    if text.eq_ignore_ascii_case("off") {
        return Ok(Place::Off);
    }
    let local = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    local.as_deref().unwrap_or(text).parse().map(Place::Own).map_err(|_| {
        "must be an address with a port such as 127.0.0.1:9090 or [::1]:9090 (0.0.0.0:9090 for other machines), or off"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(value: &str, environment: Environment) -> Result<Place, Vec<String>> {
        let mut reader = Reader::new([("METRICS_ADDRESS".to_owned(), value.to_owned())]);
        let config = MetricsConfig::read(&mut reader, environment);
        let (problems, _) = reader.into_notes();
        if problems.is_empty() { Ok(config.place) } else { Err(problems) }
    }

    #[test]
    fn unset_it_is_beside_the_api_in_development_and_by_itself_in_production() {
        assert_eq!(place("", Environment::Development), Ok(Place::Beside));
        let own = Place::Own("127.0.0.1:9090".parse().unwrap());
        assert_eq!(place(" ", Environment::Production), Ok(own));
    }

    #[test]
    fn an_address_is_taken_as_it_is_in_both() {
        for environment in [Environment::Development, Environment::Production] {
            for (value, address) in [
                ("0.0.0.0:9100", "0.0.0.0:9100"),
                ("[::1]:0", "[::1]:0"),
                (" localhost:9090 ", "127.0.0.1:9090"),
            ] {
                assert_eq!(place(value, environment), Ok(Place::Own(address.parse().unwrap())), "{value}");
            }
            assert_eq!(place("OFF", environment), Ok(Place::Off));
        }
    }

    #[test]
    fn what_is_no_address_names_the_cure() {
        for value in
            ["9090", ":9090", "127.0.0.1", "http://127.0.0.1:9090", "127.0.0.1:99999", "localhost:", "on"]
        {
            let problems = place(value, Environment::Production).unwrap_err();
            assert!(
                problems[0].starts_with("METRICS_ADDRESS must be an address with a port"),
                "{problems:?}"
            );
            assert!(problems[0].ends_with("or off"), "{problems:?}");
        }
    }
}
