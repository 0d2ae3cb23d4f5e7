//! TLS to PostgreSQL by rustls, with libpq's meaning of `sslmode`.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::config::database::{PostgresUrl, RootCert, SslMode};

/// Makes TLS sessions. Cheap to clone.
pub(super) type Tls = MakeRustlsConnect;

/// TLS as the URL asks for it.
///
/// # Errors
/// Roots that do not read, with the cure.
pub(super) fn connector(url: &PostgresUrl) -> Result<Tls, String> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let (trusted, named) = match (url.ssl, &url.root_cert) {
        (SslMode::Disable | SslMode::Allow | SslMode::Prefer, _) | (SslMode::Require, None) => (None, false),
        // libpq's rule: a root certificate beside `require` is used.
        (SslMode::Require | SslMode::VerifyCa, cert) => (Some(Trusted::read(cert.as_ref())?), false),
        (SslMode::VerifyFull, cert) => (Some(Trusted::read(cert.as_ref())?), true),
    };
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be set up: {error}"))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Verifier { trusted, named, provider }))
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

/// The certificates that are trusted.
#[derive(Debug)]
struct Trusted {
    roots: RootCertStore,
    /// Those of a given file: a server may show one of them itself, as self-signed ones do.
    given: Vec<CertificateDer<'static>>,
}

impl Trusted {
    fn read(cert: Option<&RootCert>) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        let mut given = Vec::new();
        match cert {
            Some(RootCert::File(path)) => {
                given = read_pem(path)?;
                for cert in &given {
                    roots.add(cert.clone()).map_err(|error| unusable(path, &error.to_string()))?;
                }
                if roots.is_empty() {
                    return Err(unusable(path, "it holds no certificate"));
                }
            }
            Some(RootCert::System) | None => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
                if roots.is_empty() {
                    return Err("DATABASE_URL: no root certificates on this system; install ca-certificates, or name \
                                a file with sslrootcert="
                        .to_owned());
                }
            }
        }
        Ok(Self { roots, given })
    }

    /// Whether the server shows a certificate that was given, within its time.
    fn is_given(&self, end_entity: &CertificateDer<'_>, now: UnixTime) -> Result<bool, Error> {
        if !self.given.contains(end_entity) {
            return Ok(false);
        }
        let (_, cert) =
            x509_parser::parse_x509_certificate(end_entity).map_err(|_| CertificateError::BadEncoding)?;
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let (from, to) = (cert.validity().not_before.timestamp(), cert.validity().not_after.timestamp());
        match now {
            _ if now < from => Err(CertificateError::NotValidYet.into()),
            _ if now > to => Err(CertificateError::Expired.into()),
            _ => Ok(true),
        }
    }
}

fn read_pem(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let certs = CertificateDer::pem_file_iter(path).map_err(|error| unusable(path, &error.to_string()))?;
    certs.collect::<Result<_, _>>().map_err(|error| unusable(path, &error.to_string()))
}

fn unusable(path: &Path, why: &str) -> String {
    format!(
        "DATABASE_URL: sslrootcert {} is of no use: {why}; name a PEM file of root certificates",
        path.display()
    )
}

/// Verifies chain and host name (`verify-full`), the chain alone (`verify-ca`), or nothing (`require`, `prefer`).
#[derive(Debug)]
struct Verifier {
    trusted: Option<Trusted>,
    named: bool,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    /// Where any certificate will do, one that rustls does not read will do too, such as those of X.509 version 1 that
    /// servers make for themselves: whoever stood between could as well show one of their own.
    fn or_any(
        &self,
        verified: Result<HandshakeSignatureValid, Error>,
    ) -> Result<HandshakeSignatureValid, Error> {
        match verified {
            Err(Error::InvalidCertificate(why))
                if self.trusted.is_none() && why != CertificateError::BadSignature =>
            {
                Ok(HandshakeSignatureValid::assertion())
            }
            verified => verified,
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(trusted) = &self.trusted else { return Ok(ServerCertVerified::assertion()) };
        let cert = ParsedCertificate::try_from(end_entity)?;
        if !trusted.is_given(end_entity, now)? {
            let algorithms = self.provider.signature_verification_algorithms.all;
            verify_server_cert_signed_by_trust_anchor(&cert, &trusted.roots, intermediates, now, algorithms)?;
        }
        if self.named {
            verify_server_name(&cert, name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        self.or_any(verify_tls12_signature(message, cert, dss, algorithms))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        self.or_any(verify_tls13_signature(message, cert, dss, algorithms))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests;
