//! Which of the clusters of one name is meant. Names aren't unique in EMR, and clusters that have
//! ended stay in its lists for two months.

use std::cell::RefCell;
use std::collections::BTreeMap;

use aws_sdk_emr::types::{
    Cluster, ClusterState, ClusterStateChangeReasonCode, ClusterSummary, InstanceState,
};
use futures::future::try_join_all;

use crate::aws::{Aws, Error, absent, emr};

/// States of a cluster that is there, or on its way.
pub const ALIVE: [ClusterState; 4] = [
    ClusterState::Starting,
    ClusterState::Bootstrapping,
    ClusterState::Running,
    ClusterState::Waiting,
];

thread_local! {
    /// Ids of clusters that this process started, or saw starting, by name: when one ends instead
    /// of coming up, the reason is told. The next process takes it for absent.
    static STARTED: RefCell<BTreeMap<String, String>> = RefCell::default();
    /// Ids of clusters that this process ended, by name: their machines go after them.
    static ENDED: RefCell<BTreeMap<String, String>> = RefCell::default();
}

/// Notes that the process waits for the cluster to come up.
pub fn started(name: &str, id: &str) {
    STARTED.with_borrow_mut(|all| all.insert(name.to_owned(), id.to_owned()));
}

/// Notes that the process has ended the cluster.
pub fn ended(name: &str, id: &str) {
    STARTED.with_borrow_mut(|all| all.remove(name));
    ENDED.with_borrow_mut(|all| all.insert(name.to_owned(), id.to_owned()));
}

/// The clusters in one of these states.
pub async fn listed(aws: &Aws, states: &[ClusterState]) -> Result<Vec<ClusterSummary>, Error> {
    let call = aws.emr.list_clusters().set_cluster_states(Some(states.to_vec()));
    let mut pages = call.into_paginator().send();
    let mut clusters = Vec::new();
    while let Some(page) = pages.next().await {
        clusters.extend(page?.clusters.unwrap_or_default());
    }
    Ok(clusters)
}

/// The cluster of that id, as long as EMR remembers it.
pub async fn described(aws: &Aws, id: &str) -> Result<Option<Cluster>, Error> {
    let reply = absent(aws.emr.describe_cluster().cluster_id(id).send().await)?;
    Ok(reply.and_then(|reply| reply.cluster))
}

/// The clusters of that name in one of these states, the stack's own first, the oldest first.
pub async fn named(
    aws: &Aws,
    clusters: &[ClusterSummary],
    name: &str,
    states: &[ClusterState],
) -> Result<Vec<Cluster>, Error> {
    let of_name = clusters.iter().filter(|one| {
        let state = one.status().and_then(|status| status.state());
        one.name() == Some(name) && state.is_some_and(|state| states.contains(state))
    });
    let described = try_join_all(of_name.filter_map(|one| Some(described(aws, one.id()?)))).await?;
    // A list may tell of a moment ago.
    let still = |cluster: &Cluster| {
        let state = cluster.status().and_then(|status| status.state());
        state.is_some_and(|state| states.contains(state))
    };
    let mut found: Vec<Cluster> = described.into_iter().flatten().filter(still).collect();
    found.sort_by_key(|cluster| {
        let timeline = cluster.status().and_then(|status| status.timeline());
        let since = timeline.and_then(|timeline| timeline.creation_date_time());
        let since = since.map(|since| (since.secs(), since.subsec_nanos()));
        (!is_ours(aws, cluster), since, cluster.id().map(str::to_owned))
    });
    Ok(found)
}

/// Whether the cluster carries this stack's mark.
pub fn is_ours(aws: &Aws, cluster: &Cluster) -> bool {
    emr::from_aws(cluster.tags()).get("lagoa:stack") == Some(&aws.site.stack)
}

/// The cluster of that name that this process waited for, and that has ended by itself.
pub async fn failed(aws: &Aws, name: &str) -> Result<Option<Cluster>, Error> {
    let Some(id) = STARTED.with_borrow(|all| all.get(name).cloned()) else { return Ok(None) };
    let by_itself = |cluster: &Cluster| {
        let reason = cluster.status().and_then(|status| status.state_change_reason());
        let code = reason.and_then(|reason| reason.code());
        code.is_some_and(|code| *code != ClusterStateChangeReasonCode::UserRequest)
    };
    Ok(described(aws, &id).await?.filter(by_itself))
}

/// The cluster of that name that this process ended, while machines of it are left: their network
/// interfaces hold security groups and subnets.
pub async fn leaving(aws: &Aws, name: &str) -> Result<Option<Cluster>, Error> {
    let Some(id) = ENDED.with_borrow(|all| all.get(name).cloned()) else { return Ok(None) };
    let states = [
        InstanceState::AwaitingFulfillment,
        InstanceState::Provisioning,
        InstanceState::Bootstrapping,
        InstanceState::Running,
    ];
    let call = aws.emr.list_instances().cluster_id(&id).set_instance_states(Some(states.to_vec()));
    let left = absent(call.send().await)?.is_some_and(|reply| !reply.instances().is_empty());
    if left { described(aws, &id).await } else { Ok(None) }
}
