//! What an endpoint may say, and what counts as the same.

use serde_json::Value;

use super::{DmsEndpoint, Engine, SslMode};
use crate::aws::dms;
use crate::aws::spelling::fold_key;
use crate::aws::words::word;
use crate::field::Database;
use crate::reference::{Reference, references};

impl Engine {
    /// The block of its settings.
    pub(super) fn block(self) -> &'static str {
        match self {
            Self::Postgres | Self::AuroraPostgresql => "postgres",
            Self::Mysql | Self::Mariadb | Self::Aurora => "mysql",
            Self::S3 => "s3",
            Self::Redshift => "redshift",
            Self::Dynamodb => "dynamodb",
        }
    }

    /// It has a server to log in to.
    fn has_server(self) -> bool {
        !matches!(self, Self::S3 | Self::Dynamodb)
    }
}

impl DmsEndpoint {
    /// What an `rds_instance` says, where the stack doesn't. Its port and names are known once it
    /// stands; until then only that the host comes from it.
    pub(super) fn fill_in_from_rds(&mut self) {
        let Some(rds) = self.rds.as_deref().cloned() else { return };
        if self.engine.block() == "postgres" {
            self.ssl_mode = self.ssl_mode.or(Some(SslMode::Require));
        }
        match rds {
            Database::Known(connection) => {
                self.server.get_or_insert(connection.host);
                self.port.get_or_insert(connection.port);
                self.username.get_or_insert(connection.username);
                self.database = self.database.take().or(connection.database);
            }
            Database::Unknown(text) => {
                if let Some(to) = references(&Value::String(text)).into_iter().next() {
                    let field = format!("{}.host", to.field);
                    self.server.get_or_insert(Reference { field, ..to }.mark());
                }
            }
        }
    }

    /// Redshift is loaded through a bucket, with this role unless another is given.
    pub(super) fn needs_the_fixed_role(&self) -> bool {
        let role = self.redshift.as_ref().and_then(|block| block.role.as_ref());
        *self.engine == Engine::Redshift && role.is_none()
    }

    pub(super) fn wrong_blocks(&self) -> Vec<(&'static str, String)> {
        let engine = *self.engine;
        let given = [
            ("postgres", self.postgres.is_some()),
            ("mysql", self.mysql.is_some()),
            ("s3", self.s3.is_some()),
            ("redshift", self.redshift.is_some()),
            ("dynamodb", self.dynamodb.is_some()),
        ];
        let strange = given.into_iter().filter(|(name, given)| *given && *name != engine.block());
        let mut wrong: Vec<(&'static str, String)> = strange
            .map(|(name, _)| (name, format!("an endpoint of {} has no such block", word(&engine))))
            .collect();
        let s3 = self.s3.as_ref();
        if engine == Engine::S3 && s3.is_none_or(|s3| s3.bucket.is_none() || s3.role.is_none()) {
            let message = "an endpoint of s3 needs `s3: { bucket: …, role: … }`";
            wrong.push(("s3", message.to_owned()));
        }
        if engine == Engine::Dynamodb && self.dynamodb.is_none() {
            let message = "an endpoint of dynamodb needs `dynamodb: { role: … }`";
            wrong.push(("dynamodb", message.to_owned()));
        }
        wrong
    }

    pub(super) fn wrong_access(&self) -> Vec<(&'static str, String)> {
        let mut wrong = Vec::new();
        let mut say = |path: &'static str, message: &str| wrong.push((path, message.to_owned()));
        let has_server = self.engine.has_server();
        let sources = [
            ("rds", self.rds.is_some()),
            ("server", self.server.is_some() && self.rds.is_none()),
            ("secret", self.secret.is_some()),
        ];
        let given: Vec<&str> =
            sources.iter().filter(|(_, is)| *is).map(|(name, _)| *name).collect();
        match given.as_slice() {
            [one, ..] if !has_server => say(one, "there is no server to log in to"),
            [] if has_server => {
                say(
                    "server",
                    "write `rds: KEY`, or server, port, username and password, or `secret`",
                );
            }
            [_, second, ..] => {
                say(second, "the server is given twice: write one of rds, server, secret")
            }
            ["server"] if self.username.is_none() || self.password.is_none() => {
                say("username", "a server needs `username` and `password`");
            }
            ["server"] if self.port.is_none() => say("port", "a server needs its `port`"),
            _ => {}
        }
        if self.secret.is_some() != self.secret_role.is_some() {
            say("secret_role", "`secret` and `secret_role` go together");
        }
        let checks = matches!(self.ssl_mode, Some(SslMode::VerifyCa | SslMode::VerifyFull));
        if checks && self.certificate.is_none() && *self.engine != Engine::Redshift {
            say("ssl_mode", "this needs the `certificate` of the server's authority");
        }
        if self.ssl_mode == Some(SslMode::Require) && self.engine.block() == "mysql" {
            say(
                "ssl_mode",
                "DMS has no `require` for MySQL: write `verify-ca` with a `certificate`",
            );
        }
        wrong
    }

    /// See [`crate::kind::Kind::accept`].
    pub(super) fn take_over(&mut self, live: &Self) {
        dms::fold_key(&mut self.kms_key, live.kms_key.as_ref());
        if let (Some(ours), Some(theirs)) = (&mut self.s3, &live.s3) {
            fold_key(&mut ours.kms_key, &theirs.kms_key);
        }
        if let (Some(ours), Some(theirs)) = (&mut self.redshift, &live.redshift) {
            fold_key(&mut ours.kms_key, &theirs.kms_key);
        }
        if let (Some(ours), Some(theirs)) = (&self.server, &live.server)
            && ours.eq_ignore_ascii_case(theirs)
        {
            self.server.clone_from(&live.server);
        }
    }
}
