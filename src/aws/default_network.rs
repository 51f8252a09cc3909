//! The network that an account has in every region from the first day, unless somebody deleted it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::ec2::Filter;
use super::{Aws, Class, Error};

/// What `${aws.default_vpc}` and `${aws.default_subnets}` mean, for those of their marks that were
/// asked for, in one call.
pub async fn look_up(
    aws: &Aws,
    asked: &BTreeSet<String>,
) -> Result<BTreeMap<String, Value>, Error> {
    let subnets_asked = asked.iter().any(|field| field.starts_with("default_subnets"));
    let mut answers = BTreeMap::new();
    let vpc = if subnets_asked {
        let filter = Filter::new("default-for-az", ["true"]);
        let mut subnets = aws.ec2.describe_subnets(&[filter]).await?;
        subnets.sort_by(|a, b| a.availability_zone.cmp(&b.availability_zone));
        let mut ids = subnets.iter().map(|subnet| Value::from(subnet.subnet_id.clone()));
        answers.extend(ids.next().map(|first| ("default_subnets.first".to_owned(), first)));
        answers.insert("default_subnets.others".to_owned(), ids.collect());
        subnets.into_iter().next().map(|subnet| subnet.vpc_id)
    } else {
        let vpcs = aws.ec2.describe_vpcs(&[Filter::new("is-default", ["true"])]).await?;
        vpcs.into_iter().next().map(|vpc| vpc.vpc_id)
    };
    let what = if subnets_asked { "default subnets" } else { "default VPC" };
    let vpc = vpc.ok_or_else(|| {
        Error::new(Class::Terminal, format!("{} has no {what}", aws.site.region))
            .hint("make a network of your own with `kind: network`, or name a VPC and its subnets")
    })?;
    answers.insert("default_vpc".to_owned(), vpc.into());
    Ok(answers)
}
