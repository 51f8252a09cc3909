//! Encryption that is always on and always checked, except to this very machine.

use std::fs;
use std::net::IpAddr;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::error::SeedError;
use super::{Target, Tls};

const RDS_CA: &[u8] = include_bytes!("rds-ca.pem");

/// Refuses to send a password over the network in the clear.
pub(super) fn check(target: &Target) -> Result<(), SeedError> {
    let near = match target.hostaddr {
        Some(address) => address.is_loopback(),
        None => {
            target.host == "localhost"
                || target.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
        }
    };
    if target.tls == Tls::Off && !near {
        return Err(SeedError::Plaintext { host: target.host.clone() });
    }
    Ok(())
}

/// The certificates to trust, as PEM.
pub(super) fn trusted(target: &Target) -> Result<Vec<u8>, SeedError> {
    let Some(path) = &target.ca else { return Ok(RDS_CA.to_vec()) };
    let wrong = |reason: String| SeedError::Ca { path: path.display().to_string(), reason };
    let pem = fs::read(path).map_err(|error| wrong(error.to_string()))?;
    roots(&pem).map_err(wrong)?;
    Ok(pem)
}

fn roots(pem: &[u8]) -> Result<RootCertStore, String> {
    let certificates = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| error.to_string())?;
    let mut store = RootCertStore::empty();
    for certificate in certificates {
        store.add(certificate).map_err(|error| error.to_string())?;
    }
    if store.is_empty() { Err("it holds no certificate".to_owned()) } else { Ok(store) }
}

/// The configuration for a connection that checks certificate and host name.
pub(super) fn config(target: &Target) -> Result<ClientConfig, SeedError> {
    let wrong = |reason: String| SeedError::Ca {
        path: target
            .ca
            .as_ref()
            .map_or_else(|| "the bundle of Amazon RDS".into(), |path| path.display().to_string()),
        reason,
    };
    let roots = roots(&trusted(target)?).map_err(wrong)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(error.to_string()))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(host: &str, hostaddr: Option<&str>) -> Target {
        Target {
            host: host.to_owned(),
            hostaddr: hostaddr.map(|address| address.parse().unwrap()),
            port: 1,
            database: "d".to_owned(),
            user: "u".to_owned(),
            password: "hunter2".into(),
            tls: Tls::Off,
            ca: None,
        }
    }

    #[test]
    fn plaintext_stays_on_this_machine() {
        assert!(check(&target("localhost", None)).is_ok());
        assert!(check(&target("::1", None)).is_ok());
        assert!(check(&target("db.example.com", Some("127.0.0.1"))).is_ok());
        assert!(check(&target("db.example.com", None)).is_err());
        assert!(check(&target("localhost", Some("10.0.0.1"))).is_err());
    }

    #[test]
    fn the_bundle_is_whole() {
        assert!(roots(RDS_CA).unwrap().len() > 80);
    }

    #[test]
    fn a_target_hides_its_password() {
        assert!(!format!("{0:?} {0}", target("h", None)).contains("hunter2"));
    }
}
