//! PEM texts as people paste them. The keys here are samples made for these tests; nothing uses them.

use proptest::prelude::*;

use super::*;
use crate::auth::samples::{Signer, pem};

/// A sample certificate with a P-256 key; its day is long over, which does not matter: only the key counts.
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----
MIIBdzCCAR2gAwIBAgIUOFDMf3czGHtyKlkEckUi4NyglQ4wCgYIKoZIzj0EAwIw
ETEPMA0GA1UEAwwGc2FtcGxlMB4XDTI2MTEyMDE1MDIxMloXDTI2MTEyMTE1MDIx
MlowETEPMA0GA1UEAwwGc2FtcGxlMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE
NIj8k4Rh/omFqjhzfN4lB4XFFqJDYHwBDUsz62djbtZUV5S59AKvZQOQqgxXeoXU
h4FveAPELKW7xuy5G7ZI3KNTMFEwHQYDVR0OBBYEFP0qGyI5vmIKso82Ah1v15T2
GsBmMB8GA1UdIwQYMBaAFP0qGyI5vmIKso82Ah1v15T2GsBmMA8GA1UdEwEB/wQF
MAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIhAO1XDdTIpoRr18enUDdX+NhgbAeXwfvC
Uh+zgkjT8dtxAiBVFDFmwSl9Rrglrb5BTiK+k1YyabH/OngKdWVOGAfI6w==
-----END CERTIFICATE-----";
/// The key of that certificate.
const CERTIFIED: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAENIj8k4Rh/omFqjhzfN4lB4XFFqJD
YHwBDUsz62djbtZUV5S59AKvZQOQqgxXeoXUh4FveAPELKW7xuy5G7ZI3A==
-----END PUBLIC KEY-----";
/// A sample RSA key of 1024 bits.
const RSA_1024: &str = "-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDGElI5wQAQnEEBmERvLUWUOiNR
RkTYRT4cJk6DV3pTdFtWmOyOoUQwqvsXWKQE8f0CHMjJv3E54bp9RoJz/1dJUVuu
6zNgos4IUgp6+hctpDHAMXWhzINzdswY92an8QS3+/iztT/M9t5u8FtZfIuEMzDF
Re49y88pYwcHIujo5QIDAQAB
-----END PUBLIC KEY-----";
/// A sample RSA key of 2047 bits, which is 256 bytes long all the same.
const RSA_2047: &str = "-----BEGIN PUBLIC KEY-----
MIIBITANBgkqhkiG9w0BAQEFAAOCAQ4AMIIBCQKCAQBsEIpGILBV8ehe6bh/cTbc
v0jskfAG+1EjMwpDBLLDhTwIISvu/pItJ5lrCZLYP0YfExjou7YgiIPJL5X7s4KO
Afpm2R7QGyOPULEYgaAHxCI4wZj/3MFqRKvGTSuGtDij3SdJ4PAKysioHsxr3XE/
ATqgBa1Oiveu2MZh0ZpsWtSagsD+16MYx5DvH5+VAL/cA5GExoDHkAW2G1QqMK3+
KfCiJuYDyKA+HLublWzXq7TJQBqFMxEECan2APuyC4XLtt5VQ4RUplHjKu5SqOqO
tP5o7Z68cgo9uOtL11bDmBTsTCwioG594zke2/5CfDlOZnN2PVaZBTDQrnflUHi/
AgMBAAE=
-----END PUBLIC KEY-----";
/// A sample key on secp256k1.
const SECP256K1: &str = "-----BEGIN PUBLIC KEY-----
MFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAEZ54OAHGhpx25GjhSZCBeg0OHqW9rCWIN
EFHz5Zal6p7t1+DVxp9U3N1pUdIONLOkZsYnpxhHuq1WUuAo7WPVIQ==
-----END PUBLIC KEY-----";
/// A sample key of the kind id-RSASSA-PSS.
const RSASSA_PSS: &str = "-----BEGIN PUBLIC KEY-----
MIIBIDALBgkqhkiG9w0BAQoDggEPADCCAQoCggEBAL8XQ9Fd4tQzvz4vXCYZBMdE
4B7wn5OMAVc+Mdf4LSk49Au8hIJfTb/5OU4StBAEWsnDA+pD/xoWi6gwT7C9RFNC
Tmix4c9LHMnuynf33HBXTRKFxdrhMtKd8Mgu5a4/B13zZJKOKsXZuAHZo5RqHilT
8bG3EGczpXi670pNv3+Eb7g8ZjZ5pO2g+hJSOQjNUkAJRcIrVcRCjgzWi6hCPodU
F9BXJvl8BDwITIT8BaYvrmoVsHaHbKn401k92iuMaVMFa1WD75WId/rVPwycHeNm
K6+OXCLjROtXgxl5gTPau7oOb5VGnP2DW4JiaQhDSnLhfIz9LHgnjow6QZNqDf8C
AwEAAQ==
-----END PUBLIC KEY-----";

fn refused(text: &str) -> String {
    let error = public_key(text).expect_err(text);
    assert!(!error.contains('\n') && !error.contains("MI"), "one line without the key: {error}");
    error
}

#[test]
fn every_kind_is_read_from_spki() {
    for signer in Signer::all() {
        let key = public_key(&signer.pem()).unwrap();
        assert_eq!(key.kind(), signer.public_key(None).kind());
    }
}

#[test]
fn pkcs1_and_certificates_are_read() {
    let rsa = Signer::rsa();
    assert_eq!(public_key(&pem("RSA PUBLIC KEY", &rsa.material())).unwrap().kind(), KeyKind::Rsa);
    assert_eq!(public_key(CERTIFICATE).unwrap().kind(), KeyKind::P256);
    assert_eq!(public_key(CERTIFIED).unwrap().kind(), KeyKind::P256);
}

#[test]
fn line_breaks_may_be_written_out_or_lost() {
    let text = Signer::rsa().pem();
    for form in [
        text.trim().to_owned(),
        text.replace('\n', "\\n"),
        text.replace('\n', "\\r\\n"),
        text.replace('\n', "\r\n"),
        text.replace('\n', " "),
        text.replace('\n', ""),
        format!("\n\n  {text}\n\n"),
    ] {
        assert!(public_key(&form).is_ok(), "{form:?}");
    }
}

#[test]
fn short_rsa_keys_are_refused_with_their_size() {
    assert_eq!(refused(RSA_1024), "is an RSA key of 1024 bits: use one of 2048 to 8192 bits");
    assert!(refused(RSA_2047).contains("2047 bits"));
}

#[test]
fn private_keys_and_other_blocks_are_refused_by_name() {
    for label in ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY"] {
        assert!(refused(&pem(label, b"not even a key")).contains("private key"), "{label}");
    }
    assert!(refused(&pem("CERTIFICATE REQUEST", b"x")).contains("PUBLIC KEY, RSA PUBLIC KEY or CERTIFICATE"));
    for text in [SECP256K1, RSASSA_PSS] {
        assert!(refused(text).contains("not supported"), "{text}");
    }
}

#[test]
fn what_does_not_parse_is_refused() {
    let signer = Signer::p256();
    let (good, spki) = (signer.pem(), signer.spki());
    let mut trailing = spki.clone();
    trailing.push(0);
    let mut off_the_curve = spki.clone();
    *off_the_curve.last_mut().unwrap() ^= 1;
    let mut truncated = spki.clone();
    truncated.pop();
    for text in [
        "garbage".to_owned(),
        "-----BEGIN PUBLIC KEY-----".to_owned(),
        good.replace("-----END PUBLIC KEY-----", ""),
        good.replace("END PUBLIC", "END RSA PUBLIC"),
        good.replace("MFkw", "MF*w"),
        format!("{good}{good}"),
        format!("{good} and more"),
        pem("PUBLIC KEY", &trailing),
        pem("PUBLIC KEY", &truncated),
        pem("PUBLIC KEY", &off_the_curve),
        pem("PUBLIC KEY", b""),
        pem("RSA PUBLIC KEY", &spki),
        pem("CERTIFICATE", &spki),
        pem("PUBLIC KEY", &Signer::rsa().material()),
    ] {
        refused(&text);
    }
}

proptest! {
    #[test]
    fn no_text_panics_and_none_is_repeated(
        text in "(-----BEGIN (PUBLIC KEY|RSA PUBLIC KEY|CERTIFICATE|Zq9Xw7)-----|-----END (PUBLIC KEY|CERTIFICATE)-----|\\\\n|\n|[A-Za-z0-9+/=]{0,20}|Zq9Xw7){0,6}|\\PC{0,60}",
    ) {
        if let Err(told) = public_key(&text) {
            prop_assert!(told.len() < 200 && !told.contains("Zq9Xw7"), "{}", told);
        }
    }

    #[test]
    fn a_key_with_other_bytes_is_refused_or_another_key(
        kind in 0_usize..4, place: prop::sample::Index, byte: u8, cut: Option<prop::sample::Index>,
    ) {
        let (label, mut der) = block([CERTIFICATE, CERTIFIED, RSA_1024, RSA_2047][kind]).unwrap();
        let place = place.index(der.len());
        der[place] = byte;
        der.truncate(cut.map_or(der.len(), |cut| cut.index(der.len())));
        let text = format!("-----BEGIN {label}-----\n{}\n-----END {label}-----", STANDARD.encode(&der));
        prop_assert_eq!(block(&text), Ok((label, der)));
        let _ = public_key(&text);
    }
}
