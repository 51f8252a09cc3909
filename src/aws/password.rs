//! Passwords of the user's own, on their way to the one call that sets them.

use std::fmt::{Debug, Formatter, Result as Written};

use secrecy::{ExposeSecret, SecretString};

use super::{Aws, Error};
use crate::field::SecretSource;

/// A password, if the stack names one. Never shown, and forgotten safely.
#[derive(Default)]
pub struct Password(Option<SecretString>);

impl Password {
    /// Fetches it from where it is kept.
    pub async fn of(aws: &Aws, source: Option<&SecretSource>) -> Result<Self, Error> {
        match source {
            Some(source) => Ok(Self(Some(aws.secret(source).await?))),
            None => Ok(Self(None)),
        }
    }

    /// As the SDK's calls take it; they keep it out of their own traces.
    pub fn for_call(self) -> Option<String> {
        self.0.map(|password| password.expose_secret().to_owned())
    }
}

impl Debug for Password {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Written {
        formatter.write_str("Password(…)")
    }
}
