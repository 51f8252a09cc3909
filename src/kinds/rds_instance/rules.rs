//! What RDS takes for the same, what it refuses, and what can't be undone.

use super::{Engine, RdsInstance, StorageType};
use crate::aws::rds_versions as versions;
use crate::aws::spelling::{fold, fold_key};
use crate::aws::words::word;
use crate::aws::{Class, Error};
use crate::field::{Differs, Immutable};
use crate::reference::is_marked;

impl RdsInstance {
    /// See [`crate::kind::Kind::accept`].
    pub(super) fn take_over(&mut self, live: &Self) {
        self.accept_sizes(live);
        fold(&mut self.subnet_group, &live.subnet_group);
        fold(&mut self.parameter_group, &live.parameter_group);
        fold(&mut self.option_group, &live.option_group);
        fold(&mut self.backup_window, &live.backup_window);
        fold(&mut self.maintenance_window, &live.maintenance_window);
        fold(&mut self.database, &live.database);
        fold(&mut self.character_set, &live.character_set);
        fold(&mut self.national_character_set, &live.national_character_set);
        fold(&mut self.timezone, &live.timezone);
        if self.username.eq_ignore_ascii_case(&live.username) {
            self.username.clone_from(&live.username);
        }
        fold_key(&mut self.managed_password_kms_key, &live.managed_password_kms_key);
        fold_key(&mut self.performance_insights_kms_key, &live.performance_insights_kms_key);
        let mut kms_key = self.kms_key.clone().map(|key| key.0);
        fold_key(&mut kms_key, &live.kms_key.clone().map(|key| key.0));
        self.kms_key = kms_key.map(Immutable);
        // A standby may have taken over in the other zone.
        if live.multi_az == Some(true) && self.availability_zone.is_some() {
            self.availability_zone.clone_from(&live.availability_zone);
        }
    }

    /// See [`crate::kind::Kind::replace_because`].
    pub(super) fn cannot_become(&self, live: &Self) -> Option<String> {
        if self.engine != live.engine && !self.converts_from(live.engine) {
            let (from, to) = (word(&live.engine), word(&self.engine));
            return Some(format!("AWS can't turn {from} into {to}"));
        }
        if self.storage_gib < live.storage_gib {
            return Some(format!(
                "storage can't shrink from {} to {} GiB",
                live.storage_gib, self.storage_gib
            ));
        }
        if self.availability_zone.differs(&live.availability_zone) {
            return Some("AWS can't move a server to another availability zone".to_owned());
        }
        let insights = &self.performance_insights_kms_key;
        if insights.differs(&live.performance_insights_kms_key)
            && live.performance_insights_kms_key.is_some()
        {
            return Some("AWS can't change the key of performance insights".to_owned());
        }
        None
    }

    /// See [`crate::kind::Kind::undecided`].
    pub(super) fn needs_a_word(&self, live: &Self) -> Option<String> {
        if let (Some(to), Some(from)) = (&self.engine_version, &live.engine_version)
            && !is_marked(to)
            && self.engine == live.engine
            && !versions::satisfies(
                self.engine.major_numbers(),
                to,
                from,
                self.moves_by_itself(live),
            )
        {
            if versions::later(from, to) {
                return Some(format!("AWS can't take a server back from version {from} to {to}"));
            }
            let major = |version| versions::major(self.engine.major_numbers(), version);
            let allowed = self.allow_major_version_upgrade.as_deref().copied().unwrap_or_default();
            if major(to) != major(from) && !allowed {
                return Some(format!(
                    "going from version {from} to {to} can't be undone: write \
                     `allow_major_version_upgrade: true` if that is meant"
                ));
            }
        }
        if self.managed_password
            && live.managed_password
            && self.managed_password_kms_key.differs(&live.managed_password_kms_key)
        {
            return Some(
                "AWS can't change the key of a managed password: apply once with a `password` of \
                 your own, then with `managed_password: true` and the new key"
                    .to_owned(),
            );
        }
        None
    }

    /// Whether RDS makes no last snapshot although the data may be nowhere else.
    pub(super) fn is_broken(&self) -> bool {
        let broken = ["failed", "incompatible-restore", "incompatible-network"];
        self.replica_of.is_none()
            && self.status.as_deref().is_some_and(|status| broken.contains(&status))
    }

    /// Why a broken server isn't deleted.
    pub(super) fn without_snapshot(&self) -> Error {
        let status = self.status.as_deref().unwrap_or_default();
        let message = format!("RDS makes no final snapshot of a server that is {status}");
        Error::new(Class::Terminal, message).hint(
            "restore it from a snapshot or a point in time if its data is needed, then write \
             `on_destroy: delete` to delete it without a final snapshot",
        )
    }

    /// Oracle servers can become container databases.
    fn converts_from(&self, live: Engine) -> bool {
        matches!(
            (live, self.engine),
            (Engine::OracleEe, Engine::OracleEeCdb) | (Engine::OracleSe2, Engine::OracleSe2Cdb)
        )
    }

    /// Whether AWS may have moved the server to a later minor version.
    fn moves_by_itself(&self, live: &Self) -> bool {
        live.auto_minor_version_upgrade == Some(true)
            && self.auto_minor_version_upgrade != Some(false)
    }

    fn accept_sizes(&mut self, live: &Self) {
        if let (Some(desired), Some(have)) = (&self.engine_version, &live.engine_version)
            && versions::satisfies(
                self.engine.major_numbers(),
                desired,
                have,
                self.moves_by_itself(live),
            )
        {
            self.engine_version.clone_from(&live.engine_version);
        }
        // Turned off: AWS reports no limit at all.
        if self.max_storage_gib == Some(self.storage_gib) && live.max_storage_gib.is_none() {
            self.max_storage_gib = None;
        }
        // What AWS has added by itself stays.
        if self
            .max_storage_gib
            .is_some_and(|max| (self.storage_gib..=max).contains(&live.storage_gib))
        {
            self.storage_gib = live.storage_gib;
        }
    }

    pub(super) fn wrong_access(&self) -> Vec<(&'static str, &'static str)> {
        let mut wrong = Vec::new();
        if self.managed_password == self.password.is_some() {
            wrong.push((
                "password",
                "give the master password one source: `managed_password: true`, or `password: { env: NAME }` or `{ secret: NAME }`",
            ));
        }
        if self.managed_password_kms_key.is_some() && !self.managed_password {
            wrong.push(("managed_password_kms_key", "this is for `managed_password: true` only"));
        }
        if self.kms_key.is_some() && self.storage_encrypted.as_deref() != Some(&true) {
            wrong.push(("kms_key", "a key needs `storage_encrypted: true`"));
        }
        if self.multi_az == Some(true) && self.availability_zone.is_some() {
            wrong.push((
                "availability_zone",
                "with `multi_az: true` AWS chooses the zones: leave this out",
            ));
        }
        if self.database.is_some() && word(&self.engine).starts_with("sqlserver") {
            wrong.push(("database", "SQL Server takes no database name at creation: use a seed"));
        }
        wrong
    }

    pub(super) fn wrong_sizes(&self) -> Vec<(&'static str, &'static str)> {
        let mut wrong = Vec::new();
        if self.max_storage_gib.is_some_and(|max| max < self.storage_gib) {
            wrong.push(("max_storage_gib", "the limit is below `storage_gib`"));
        }
        let provisioned = matches!(self.storage_type, Some(StorageType::Io1 | StorageType::Io2));
        if provisioned && self.iops.is_none() {
            wrong.push(("iops", "`io1` and `io2` need `iops`"));
        }
        let other_disk = self.storage_type.is_some_and(|disk| disk != StorageType::Gp3);
        if other_disk && self.storage_throughput_mibps.is_some() {
            wrong.push(("storage_throughput_mibps", "only `storage_type: gp3` has a throughput"));
        }
        let interval = self.monitoring_interval_seconds.unwrap_or_default();
        if ![0, 1, 5, 10, 15, 30, 60].contains(&interval) {
            wrong.push(("monitoring_interval_seconds", "AWS takes 0, 1, 5, 10, 15, 30 or 60"));
        }
        if interval != 0 && self.monitoring_role.is_none() {
            wrong.push((
                "monitoring_role",
                "measuring needs a role with the policy AmazonRDSEnhancedMonitoringRole",
            ));
        }
        let days = self.performance_insights_retention_days.unwrap_or(7);
        if days != 7 && days != 731 && days % 31 != 0 {
            wrong.push((
                "performance_insights_retention_days",
                "AWS takes 7, a multiple of 31, or 731",
            ));
        }
        wrong
    }
}
