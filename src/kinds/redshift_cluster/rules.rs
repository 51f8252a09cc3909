//! What Redshift takes for the same, what it refuses, and what interrupts people's work.

use super::RedshiftCluster;
use crate::aws::spelling::{fold, fold_key};
use crate::field::Differs;
use crate::reference::is_marked;

impl RedshiftCluster {
    /// See [`crate::kind::Kind::accept`].
    pub(super) fn take_over(&mut self, live: &Self) {
        if let (Some(want), Some(have)) = (&self.subnet_group, &live.subnet_group)
            && want.eq_ignore_ascii_case(have)
        {
            self.subnet_group.clone_from(&live.subnet_group);
        }
        fold(&mut self.parameter_group, &live.parameter_group);
        fold(&mut self.maintenance_window, &live.maintenance_window);
        fold_key(&mut self.kms_key, &live.kms_key);
        fold_key(&mut self.managed_password_kms_key, &live.managed_password_kms_key);
    }

    /// See [`crate::kind::Kind::undecided`].
    pub(super) fn needs_a_word(&self, live: &Self) -> Option<String> {
        let single = live.number_of_nodes == 1 || self.number_of_nodes == 1;
        let allowed = self.allow_classic_resize.as_deref().copied().unwrap_or_default();
        let node = &self.node_type;
        let resized = self.is_resized(live) && !is_marked(node);
        (resized && single && node.starts_with("dc2") && !allowed).then(|| {
            "dc2 clusters go from and to one node only by a classic resize, during which the \
             cluster is read-only for hours: write `allow_classic_resize: true` if that is meant"
                .to_owned()
        })
    }

    /// See [`crate::kind::Kind::summary`].
    pub(super) fn interruptions(&self, live: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.is_resized(live) {
            let classic = self.allow_classic_resize.as_deref() == Some(&true);
            let how = if classic {
                "classic resize: the cluster is read-only for hours, then restarts"
            } else {
                "elastic resize: queries pause, connections may break, minutes"
            };
            lines.push(how.to_owned());
        }
        let encryption = self.encrypted.differs(&live.encrypted);
        if encryption || self.kms_key.differs(&live.kms_key) {
            lines.push("the change of encryption copies all data in the background".to_owned());
        }
        if self.parameter_group.differs(&live.parameter_group) || *live.reboot_pending == Some(true)
        {
            lines.push("the cluster restarts for its parameter group; connections end".to_owned());
        }
        if self.port.differs(&live.port) {
            lines.push("the change of port restarts the cluster".to_owned());
        }
        lines
    }

    /// See [`crate::kind::Kind::check`].
    pub(super) fn wrong(&self) -> Vec<(&'static str, &'static str)> {
        let mut wrong = Vec::new();
        if self.managed_password == self.password.is_some() {
            wrong.push((
                "password",
                "give the admin's password one source: `managed_password: true`, or `password: { env: NAME }` or `{ secret: NAME }`",
            ));
        }
        if self.managed_password_kms_key.is_some() && !self.managed_password {
            wrong.push(("managed_password_kms_key", "this is for `managed_password: true` only"));
        }
        if self.kms_key.is_some() && self.encrypted == Some(false) {
            wrong.push(("kms_key", "a key needs `encrypted: true`"));
        }
        let needs_two = ["ra3.4xlarge", "ra3.16xlarge", "dc2.8xlarge"];
        if self.number_of_nodes < 2 && needs_two.contains(&self.node_type.as_str()) {
            wrong.push(("number_of_nodes", "nodes of this type come in twos at least"));
        }
        let ra3 = self.node_type.starts_with("ra3");
        let usual = |port| (5431..=5455).contains(&port) || (8191..=8215).contains(&port);
        if ra3 && self.port.is_some_and(|port| !usual(port)) {
            wrong.push(("port", "RA3 nodes take ports 5431 to 5455 and 8191 to 8215"));
        }
        if ra3 && self.snapshot_retention_days == Some(0) {
            wrong.push(("snapshot_retention_days", "RA3 nodes always keep snapshots: 1 to 35"));
        }
        if self.manual_snapshot_retention_days == Some(0) {
            wrong.push(("manual_snapshot_retention_days", "AWS takes -1 or 1 to 3653"));
        }
        if let (Some(default), Some(roles)) = (&self.default_iam_role, &self.iam_roles)
            && !roles.contains(default)
        {
            wrong.push(("default_iam_role", "the default role must be one of `iam_roles`"));
        }
        wrong
    }
}
