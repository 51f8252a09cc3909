//! What keeps a security group from being deleted.

use std::collections::BTreeMap;

use crate::aws::ec2::{Filter, NetworkInterface};
use crate::aws::{Aws, Error, obstacles};

/// What still uses a security group.
pub struct Obstacles {
    interfaces: Vec<NetworkInterface>,
    /// Other groups with rules that name this one: names by id.
    pub groups: BTreeMap<String, String>,
}

/// Asks EC2, which doesn't say it in its refusal.
pub async fn find(aws: &Aws, id: &str) -> Result<Obstacles, Error> {
    let filter = |name: &str| [Filter::new(name, [id])];
    let (used, into, out) = (
        filter("group-id"),
        filter("ip-permission.group-id"),
        filter("egress.ip-permission.group-id"),
    );
    let (interfaces, into, out) = futures::try_join!(
        aws.ec2.describe_network_interfaces(&used),
        aws.ec2.describe_security_groups(&into),
        aws.ec2.describe_security_groups(&out),
    )?;
    let others = into.into_iter().chain(out).filter(|group| group.group_id != id);
    let groups = others.map(|group| (group.group_id, group.group_name)).collect();
    Ok(Obstacles { interfaces, groups })
}

impl Obstacles {
    /// Adds to EC2's refusal what is in the way.
    pub fn explain(&self, error: Error) -> Error {
        let interfaces = self.interfaces.iter().map(obstacles::interface);
        let groups =
            self.groups.iter().map(|(id, name)| format!("a rule of security group {name} ({id})"));
        obstacles::explain(error, &interfaces.chain(groups).collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::Class;
    use crate::aws::ec2::Attachment;

    fn interface(id: &str, description: &str, instance: Option<&str>) -> NetworkInterface {
        let attachment = instance.map(|instance| Attachment {
            instance_id: Some(instance.to_owned()),
            instance_owner_id: None,
            status: None,
        });
        NetworkInterface {
            network_interface_id: id.to_owned(),
            description: Some(description.to_owned()),
            interface_type: None,
            status: None,
            subnet_id: None,
            vpc_id: None,
            requester_id: None,
            requester_managed: false,
            attachment,
            association: None,
        }
    }

    fn hint(interfaces: Vec<NetworkInterface>, groups: &[(&str, &str)]) -> Option<String> {
        let groups = groups.iter().map(|(id, name)| ((*id).to_owned(), (*name).to_owned()));
        let obstacles = Obstacles { interfaces, groups: groups.collect() };
        obstacles.explain(Error::new(Class::Dependency, "resource has a dependent object")).hint
    }

    #[test]
    fn a_refusal_names_what_is_in_the_way() {
        let used = vec![
            interface("eni-1", "RDSNetworkInterface", None),
            interface("eni-2", "", Some("i-1")),
        ];
        assert_eq!(
            hint(used, &[("sg-2", "web")]).as_deref(),
            Some(
                "still used by network interface eni-1 (RDSNetworkInterface), instance i-1 (network \
                 interface eni-2), a rule of security group web (sg-2)"
            )
        );
        assert_eq!(hint(Vec::new(), &[]), None);
        let many = (0..7).map(|n| interface(&format!("eni-{n}"), "", None)).collect();
        assert!(
            hint(many, &[])
                .is_some_and(|hint| hint.ends_with("network interface eni-4 and 2 more"))
        );
    }
}
