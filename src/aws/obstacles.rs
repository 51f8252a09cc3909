//! What keeps a part of a network from being deleted. EC2 refuses without saying it.

use super::ec2::{Filter, NetworkInterface};
use super::named::Named;
use super::{Aws, Class, Error};

/// How many obstacles a hint names.
const NAMED: usize = 5;

/// Adds to EC2's refusal what is in the way.
pub fn explain(error: Error, all: &[String]) -> Error {
    if all.is_empty() {
        return error;
    }
    let more = all.len().saturating_sub(NAMED);
    let mut hint = format!("still used by {}", all[..all.len().min(NAMED)].join(", "));
    if more > 0 {
        hint.push_str(&format!(" and {more} more"));
    }
    error.hint(hint)
}

/// The answer, with the reason if it is a refusal for what is in the way.
pub async fn explained<F>(answer: Result<(), Error>, find: impl FnOnce() -> F) -> Result<(), Error>
where
    F: Future<Output = Result<Vec<String>, Error>>,
{
    match answer {
        // Looking for the reason needs permissions of its own.
        Err(error) if error.class == Class::Dependency => match find().await {
            Ok(all) => Err(explain(error, &all)),
            Err(_) => Err(error),
        },
        answer => answer,
    }
}

/// A network interface by what it belongs to.
pub fn interface(interface: &NetworkInterface) -> String {
    let id = &interface.network_interface_id;
    let instance =
        interface.attachment.as_ref().and_then(|attachment| attachment.instance_id.as_ref());
    let described = interface.description.as_ref().filter(|text| !text.is_empty());
    match (instance, described) {
        (Some(instance), _) => format!("instance {instance} (network interface {id})"),
        (None, Some(described)) => format!("network interface {id} ({described})"),
        (None, None) => format!("network interface {id}"),
    }
}

/// What stands in a subnet.
pub async fn in_subnet(aws: &Aws, id: &str) -> Result<Vec<String>, Error> {
    let filters = [Filter::new("subnet-id", [id])];
    let interfaces = aws.ec2.describe_network_interfaces(&filters).await?;
    Ok(interfaces.iter().map(interface).collect())
}

/// What has a public address in a VPC.
pub async fn public_in_vpc(aws: &Aws, id: &str) -> Result<Vec<String>, Error> {
    let filters = [Filter::new("vpc-id", [id])];
    let interfaces = aws.ec2.describe_network_interfaces(&filters).await?;
    let public = interfaces.iter().filter_map(|one| {
        let address = one.association.as_ref()?.public_ip.as_ref()?;
        Some(format!("public address {address} of {}", interface(one)))
    });
    Ok(public.collect())
}

/// What a VPC has in it, beside what EC2 put there itself.
pub async fn in_vpc(aws: &Aws, id: &str) -> Result<Vec<String>, Error> {
    let inside = [Filter::new("vpc-id", [id])];
    let attached = [Filter::new("attachment.vpc-id", [id])];
    let (subnets, internet, nat, endpoints, tables, groups) = futures::try_join!(
        aws.ec2.describe_subnets(&inside),
        aws.ec2.describe_internet_gateways(&attached),
        aws.ec2.describe_nat_gateways(&inside),
        aws.ec2.describe_vpc_endpoints(&inside),
        aws.ec2.describe_route_tables(&inside),
        aws.ec2.describe_security_groups(&inside),
    )?;
    let nat = nat.iter().filter(|one| one.state != "deleted");
    let own = |table: &&super::ec2::RouteTable| !table.associations.iter().any(|one| one.main);
    let groups = groups.iter().filter(|group| group.group_name != "default");
    let all = (nat.map(|one| called("NAT gateway", one)))
        .chain(endpoints.iter().map(|one| called("endpoint", one)))
        .chain(internet.iter().map(|one| called("internet gateway", one)))
        .chain(subnets.iter().map(|one| called("subnet", one)))
        .chain(tables.iter().filter(own).map(|one| called("route table", one)))
        .chain(groups.map(|one| format!("security group {} ({})", one.group_name, one.group_id)));
    Ok(all.collect())
}

fn called(what: &str, thing: &impl Named) -> String {
    match thing.tags().get("Name").filter(|name| !name.is_empty()) {
        Some(name) => format!("{what} {name} ({})", thing.id()),
        None => format!("{what} {}", thing.id()),
    }
}
