//! Certificates made for one test, by the `openssl` of the system.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::Server;

/// An authority of one test's own.
#[derive(Debug)]
pub(crate) struct Authority {
    folder: tempfile::TempDir,
    sign: Vec<&'static str>,
}

/// With which key and hash an authority signs.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Signs {
    EcdsaSha256,
    EcdsaSha384,
    EcdsaSha512,
    RsaSha512,
    RsaPss,
    Ed25519,
}

impl Authority {
    pub(crate) fn new(signs: Signs) -> Self {
        let p256 = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
        let p384 = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"];
        let (key, sign): (&[&str], &[&str]) = match signs {
            Signs::EcdsaSha256 => (&p256, &["-sha256"]),
            Signs::EcdsaSha384 => (&p384, &["-sha384"]),
            Signs::EcdsaSha512 => (&p256, &["-sha512"]),
            Signs::RsaSha512 => (&["-newkey", "rsa:2048"], &["-sha512"]),
            Signs::RsaPss => (
                &["-newkey", "rsa:2048"],
                &["-sha256", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"],
            ),
            Signs::Ed25519 => (&["-newkey", "ed25519"], &[]),
        };
        let authority =
            Self { folder: tempfile::tempdir().expect("a temporary folder"), sign: sign.to_vec() };
        let own = [
            "-x509",
            "-nodes",
            "-subj",
            "/CN=Test authority",
            "-days",
            "30",
            "-keyout",
            "ca.key",
            "-out",
            "ca.pem",
        ];
        authority.openssl("req", &[&own[..], key, &authority.sign].concat());
        authority
    }

    /// The file with its own certificate.
    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A certificate for a DNS name or an address, and its key; for days (-1: it has expired).
    pub(crate) fn certify(&self, name: &str, days: i32) -> (Vec<u8>, Vec<u8>) {
        let kind = if name.parse::<std::net::IpAddr>().is_ok() { "IP" } else { "DNS" };
        let (name, days) = (format!("subjectAltName={kind}:{name}"), days.to_string());
        let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "server.key"];
        self.openssl(
            "req",
            &[&key[..], &["-out", "server.csr", "-subj", "/CN=Test server", "-addext", &name]].concat(),
        );
        let by = ["-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"];
        let out = ["-copy_extensions", "copy", "-days", &days, "-out", "server.pem"];
        self.openssl("x509", &[&by[..], &out, &self.sign].concat());
        let read = |name: &str| std::fs::read(self.folder.path().join(name)).expect("openssl made it");
        (read("server.pem"), read("server.key"))
    }

    /// A certificate of X.509 version 1, which has no extensions and so names no host, and its key.
    fn certify_as_of_old(&self) -> (Vec<u8>, Vec<u8>) {
        let (_, key) = self.certify("localhost", 30);
        let by = ["-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"];
        self.openssl("x509", &[&by[..], &["-days", "30", "-out", "old.pem"], &self.sign].concat());
        (std::fs::read(self.folder.path().join("old.pem")).expect("openssl made it"), key)
    }

    /// Has a server show a certificate for such a name.
    pub(crate) async fn secure(&self, server: &Server, name: &str, days: i32) {
        Self::show(server, self.certify(name, days)).await;
    }

    /// Has a server show a certificate of the oldest form.
    pub(crate) async fn secure_as_of_old(&self, server: &Server) {
        Self::show(server, self.certify_as_of_old()).await;
    }

    async fn show(server: &Server, (certificate, key): (Vec<u8>, Vec<u8>)) {
        server.put("server.crt", &certificate);
        server.put("server.key", &key);
        server.run("alter system set ssl = on").await;
        server.reload().await;
    }

    fn openssl(&self, command: &str, args: &[&str]) {
        let mut openssl = Command::new("openssl");
        openssl.arg(command).args(args).current_dir(self.folder.path()).stdin(Stdio::null());
        let output = openssl.output().expect("openssl is installed");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {command} {args:?}: {said}");
    }
}
