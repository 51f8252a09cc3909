//! How a database of RDS is reached: what instances and clusters have in common.

use std::net::IpAddr;

use crate::field::{SecretSource, Tls};

/// Where the master password is: in the secret that RDS keeps, or where the stack says; only the
/// stack knows where one's own is kept.
pub fn password(managed: Option<&str>, own: Option<&SecretSource>) -> Option<SecretSource> {
    let managed = managed.map(|arn| SecretSource::Secret {
        secret: arn.to_owned(),
        key: Some("password".to_owned()),
    });
    managed.or_else(|| own.cloned())
}

/// Connections are encrypted, but those that don't leave the machine.
pub fn tls(host: &str) -> Tls {
    let loopback = host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    if loopback || host == "localhost" { Tls::Off } else { Tls::VerifyFull }
}
