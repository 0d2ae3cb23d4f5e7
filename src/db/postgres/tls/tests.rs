use super::*;

/// An authority, a certificate of its for `db.example`, and one for the same name that signed itself; valid from
/// November 2026 for a hundred years. Their keys are thrown away.
const AUTHORITY: &str = "-----BEGIN CERTIFICATE-----
MIIBiTCCAS+gAwIBAgIUGiK1jdgqLsOn2FUJUh3rM+3gfEIwCgYIKoZIzj0EAwIw
GTEXMBUGA1UEAwwOVGVzdCBhdXRob3JpdHkwIBcNMjYxMTIwMTU0MjUxWhgPMjEy
NjEwMjcxNTQyNTFaMBkxFzAVBgNVBAMMDlRlc3QgYXV0aG9yaXR5MFkwEwYHKoZI
zj0CAQYIKoZIzj0DAQcDQgAEkMQIkTVWnHua55bdfCmLXrPXCsIeFb/JGARFRd1n
U26Q1jwZq51Fsw+X6ihEMuLocGus+9quembkBXcCR7H/kqNTMFEwHQYDVR0OBBYE
FKHSVIK0FuXyuq+8qjC3lBVqGRI7MB8GA1UdIwQYMBaAFKHSVIK0FuXyuq+8qjC3
lBVqGRI7MA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIgTYtx+0C6
Rm/1d6nZjhRCslns0F0yDVWwbsMagbt8OUsCIQCC+meF29L49SeywhRIy1YkTcIv
18WhpSQdAHCdgpvzVA==
-----END CERTIFICATE-----\n";
const SIGNED: &str = "-----BEGIN CERTIFICATE-----
MIIBizCCATGgAwIBAgIUVzQm8GX8kxUCceXNiA+/b7x4X7owCgYIKoZIzj0EAwIw
GTEXMBUGA1UEAwwOVGVzdCBhdXRob3JpdHkwIBcNMjYxMTIwMTU0MjUxWhgPMjEy
NjEwMjcxNTQyNTFaMBUxEzARBgNVBAMMCmRiLmV4YW1wbGUwWTATBgcqhkjOPQIB
BggqhkjOPQMBBwNCAAQ4b+vdzLLLuQlWkDWyBeR+0upJnPWR5u/JAgfbrmGUHq93
tuxZWXTTYQwALESX4AYaYPTCVbgL1HWXJCU04A7Yo1kwVzAVBgNVHREEDjAMggpk
Yi5leGFtcGxlMB0GA1UdDgQWBBTfmUSj8iaiNrvykiC15RBJdGJ6VDAfBgNVHSME
GDAWgBSh0lSCtBbl8rqvvKowt5QVahkSOzAKBggqhkjOPQQDAgNIADBFAiEA9dAe
Sn14Rwb1sQwaJLaLoUZKeSfbIxbRJxiltQgxlgQCIFxPIUZh8CeKiP02uCDjJb22
nTIXFLytn39Ujap0fr7k
-----END CERTIFICATE-----\n";
const SELF_SIGNED: &str = "-----BEGIN CERTIFICATE-----
MIIBmDCCAT6gAwIBAgIUVHm0efDUdtj6RuiKl5LpJfKIla0wCgYIKoZIzj0EAwIw
FTETMBEGA1UEAwwKZGIuZXhhbXBsZTAgFw0yNjExMjAxNTQyNTFaGA8yMTI2MTAy
NzE1NDI1MVowFTETMBEGA1UEAwwKZGIuZXhhbXBsZTBZMBMGByqGSM49AgEGCCqG
SM49AwEHA0IABHpDPBUqqmw9UwkQfjwEbLBj7ZhkCS8GNXYaNQM92j6swsRvRaZt
jvP30xCz13pOdbk2B98keyOLFhiAej5Od7OjajBoMB0GA1UdDgQWBBQ0LfGWaITx
Ru9lkTBhnqA8F0HhXjAfBgNVHSMEGDAWgBQ0LfGWaITxRu9lkTBhnqA8F0HhXjAP
BgNVHRMBAf8EBTADAQH/MBUGA1UdEQQOMAyCCmRiLmV4YW1wbGUwCgYIKoZIzj0E
AwIDSAAwRQIhALIv+/wToouYcRrRk4odQD8xgbjaluH3EdpC+anYc6aJAiAzZJpU
zSk9qeF9glzpw+1i7pOHLlHBfLfpSsJBEwMVig==
-----END CERTIFICATE-----\n";

const IN_TIME: u64 = 2_000_000_000;
const TOO_EARLY: u64 = 1_000_000_000;
const TOO_LATE: u64 = 6_000_000_000;

fn der(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}

/// Whether a server that shows `shown` is believed where the roots are `roots`.
fn believes(roots: Option<&str>, named: bool, shown: &str, name: &'static str, now: u64) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("roots.pem");
    let trusted = roots.map(|pem| {
        std::fs::write(&path, pem).unwrap();
        Trusted::read(Some(&RootCert::File(path.clone()))).unwrap()
    });
    let verifier = Verifier { trusted, named, provider: Arc::new(aws_lc_rs::default_provider()) };
    let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(now));
    verifier.verify_server_cert(&der(shown), &[], &ServerName::try_from(name).unwrap(), &[], now).is_ok()
}

#[test]
fn without_roots_anybody_is_believed() {
    assert!(believes(None, false, SELF_SIGNED, "other.example", TOO_LATE));
}

#[test]
fn the_chain_and_the_name_are_verified_as_asked() {
    for named in [false, true] {
        assert!(believes(Some(AUTHORITY), named, SIGNED, "db.example", IN_TIME));
        assert_eq!(believes(Some(AUTHORITY), named, SIGNED, "other.example", IN_TIME), !named);
        assert!(!believes(Some(SELF_SIGNED), named, SIGNED, "db.example", IN_TIME));
        assert!(!believes(Some(AUTHORITY), named, SELF_SIGNED, "db.example", IN_TIME));
        for now in [TOO_EARLY, TOO_LATE] {
            assert!(!believes(Some(AUTHORITY), named, SIGNED, "db.example", now));
        }
    }
}

#[test]
fn a_given_certificate_may_be_the_servers_own() {
    for named in [false, true] {
        assert!(believes(Some(SELF_SIGNED), named, SELF_SIGNED, "db.example", IN_TIME));
        assert_eq!(believes(Some(SELF_SIGNED), named, SELF_SIGNED, "other.example", IN_TIME), !named);
        for now in [TOO_EARLY, TOO_LATE] {
            assert!(!believes(Some(SELF_SIGNED), named, SELF_SIGNED, "db.example", now));
        }
    }
}
