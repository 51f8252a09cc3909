//! What DMS reports of a replication instance, and what counts as the same.

use aws_sdk_databasemigration::types::ReplicationInstance;

use super::{DmsReplicationInstance, NetworkType};
use crate::aws::dms;
use crate::field::{DmsSubnetGroupName, Immutable, KmsKeyArn, SecurityGroupId, Tags};

/// States that an instance doesn't leave by itself.
pub const TERMINAL: &[&str] = &[
    "failed",
    "incompatible-credentials",
    "incompatible-network",
    "inaccessible-encryption-credentials",
];

pub fn name(instance: &ReplicationInstance) -> String {
    instance.replication_instance_identifier().unwrap_or_default().to_lowercase()
}

pub fn arn(instance: &ReplicationInstance) -> &str {
    instance.replication_instance_arn().unwrap_or_default()
}

pub fn read(instance: &ReplicationInstance, tags: Tags) -> DmsReplicationInstance {
    let text = |value: Option<&str>| value.filter(|value| !value.is_empty()).map(str::to_owned);
    let fixed = |value: Option<&str>| text(value).map(Immutable);
    let groups = instance.vpc_security_groups().iter();
    let groups = groups.filter(|group| group.status() != Some("removing"));
    let subnet_group = instance.replication_subnet_group();
    DmsReplicationInstance {
        instance_class: instance.replication_instance_class().unwrap_or_default().to_owned(),
        engine_version: text(instance.engine_version()),
        allow_major_version_upgrade: None,
        storage_gib: Some(instance.allocated_storage()),
        subnet_group: subnet_group
            .and_then(|group| group.replication_subnet_group_identifier())
            .map(|name| DmsSubnetGroupName::from(name).into()),
        security_groups: Some(
            groups
                .filter_map(|group| group.vpc_security_group_id())
                .map(SecurityGroupId::from)
                .collect(),
        ),
        availability_zone: fixed(instance.availability_zone()),
        multi_az: Some(instance.multi_az()),
        publicly_accessible: instance.publicly_accessible().into(),
        kms_key: instance.kms_key_id().map(|key| KmsKeyArn::from(key).into()),
        dns_name_servers: fixed(instance.dns_name_servers()),
        resource_identifier: fixed(arn(instance).rsplit(':').next()),
        network_type: match instance.network_type() {
            Some("DUAL") => Some(NetworkType::Dual),
            _ => Some(NetworkType::Ipv4),
        },
        maintenance_window: text(instance.preferred_maintenance_window()),
        auto_minor_version_upgrade: Some(instance.auto_minor_version_upgrade()),
        tags,
        arn: text(instance.replication_instance_arn()).into(),
        private_ip: instance.replication_instance_private_ip_addresses().first().cloned().into(),
        public_ip: instance.replication_instance_public_ip_addresses().first().cloned().into(),
        status: text(instance.replication_instance_status()).into(),
    }
}

impl DmsReplicationInstance {
    /// See [`crate::kind::Kind::accept`].
    pub(super) fn take_over(&mut self, live: &Self) {
        if let (Some(ours), Some(theirs)) = (&self.engine_version, &live.engine_version)
            && satisfies(ours, theirs, live.moves_by_itself())
        {
            self.engine_version.clone_from(&live.engine_version);
        }
        let same_case = |ours: &DmsSubnetGroupName, theirs: &DmsSubnetGroupName| {
            ours.eq_ignore_ascii_case(theirs)
        };
        if let (Some(ours), Some(theirs)) = (&self.subnet_group, &live.subnet_group)
            && same_case(ours, theirs)
        {
            self.subnet_group.clone_from(&live.subnet_group);
        }
        if let (Some(ours), Some(theirs)) = (&self.maintenance_window, &live.maintenance_window)
            && ours.eq_ignore_ascii_case(theirs)
        {
            self.maintenance_window.clone_from(&live.maintenance_window);
        }
        dms::fold_key(&mut self.kms_key, live.kms_key.as_ref());
        // A standby may have taken over in the other zone.
        if live.multi_az == Some(true) && self.availability_zone.is_some() {
            self.availability_zone.clone_from(&live.availability_zone);
        }
    }

    /// AWS moves old versions on even where it was asked not to, once their time is over.
    fn moves_by_itself(&self) -> bool {
        self.auto_minor_version_upgrade == Some(true)
    }
}

/// Whether live is what `desired` asks for: the same version, or a later one that AWS has moved to
/// by itself.
fn satisfies(desired: &str, live: &str, moves_by_itself: bool) -> bool {
    live == desired || (moves_by_itself && is_later(live, desired))
}

/// Whether `a` comes after `b`, number by number. What isn't a number can't be compared.
pub fn is_later(a: &str, b: &str) -> bool {
    let numbers = |text: &str| {
        text.split('.').map(|part| part.parse::<u32>().ok()).collect::<Option<Vec<_>>>()
    };
    matches!((numbers(a), numbers(b)), (Some(a), Some(b)) if a > b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_moves_on_only_by_aws() {
        for (desired, live, moves, same) in [
            ("3.5.4", "3.5.4", false, true),
            ("3.5.3", "3.5.4", true, true),
            ("3.5.3", "3.5.4", false, false),
            ("3.6.1", "3.5.4", true, false),
            ("3.5.1", "3.5.10", false, false),
        ] {
            assert_eq!(satisfies(desired, live, moves), same, "{desired} {live} {moves}");
        }
    }
}
