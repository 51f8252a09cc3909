//! The master password of instances and clusters of RDS: one's own, or one that RDS manages.

use super::Error;
use super::password::Password;
use crate::field::{KmsKeyArn, SecretSource};
use crate::kind::Cx;

/// Where a master password comes from, as a stack says it or as RDS has it.
pub struct Source<'a> {
    /// RDS makes it up and keeps it.
    pub managed: bool,
    /// The key of the secret that it is kept in.
    pub kms_key: Option<&'a KmsKeyArn>,
    /// Where one's own is kept.
    pub own: Option<&'a SecretSource>,
}

/// What the calls say of it: the same three members, whatever has the password.
#[derive(Default)]
pub struct Said {
    /// `ManageMasterUserPassword`.
    pub manage: Option<bool>,
    /// `MasterUserSecretKmsKeyId`.
    pub kms_key: Option<String>,
    /// `MasterUserPassword`.
    pub password: Password,
    /// `RotateMasterUserPassword`, which only changes have.
    pub rotate: Option<bool>,
}

impl Source<'_> {
    /// For a new one.
    pub async fn at_first(&self, cx: &Cx<'_>) -> Result<Said, Error> {
        if self.managed { Ok(self.begin()) } else { self.send(None, cx).await }
    }

    /// For one whose password RDS managed so far, or didn't; `anew` sets or makes another one.
    pub async fn changed(&self, managed: bool, anew: bool, cx: &Cx<'_>) -> Result<Said, Error> {
        match (self.managed, managed) {
            (true, false) => Ok(self.begin()),
            (false, true) => self.send(Some(false), cx).await,
            (true, true) if anew => Ok(Said { rotate: Some(true), ..Said::default() }),
            (false, false) if anew => self.send(None, cx).await,
            _ => Ok(Said::default()),
        }
    }

    fn begin(&self) -> Said {
        let kms_key = self.kms_key.map(|key| key.0.clone());
        Said { manage: Some(true), kms_key, ..Said::default() }
    }

    async fn send(&self, manage: Option<bool>, cx: &Cx<'_>) -> Result<Said, Error> {
        let password = Password::of(cx, self.own).await?;
        Ok(Said { manage, password, ..Said::default() })
    }
}
