//! Applications as EMR Serverless shows them.

use aws_sdk_emrserverless::types::{Application, ApplicationState, ApplicationSummary};
use futures::future::try_join_all;
use serde::de::DeserializeOwned;

use super::workers::{self, Capacity};
use super::{ApplicationType, EmrServerlessApplication, is_passing, stopping};
use crate::aws::{Aws, Error, absent, words};
use crate::field::{SecurityGroupId, SubnetId, Tags};
use crate::kind::{Cx, Found, Wanted};

/// The applications that haven't been deleted.
pub async fn listed(aws: &Aws) -> Result<Vec<ApplicationSummary>, Error> {
    let mut pages = aws.emr_serverless.list_applications().into_paginator().send();
    let mut all = Vec::new();
    while let Some(page) = pages.next().await {
        let there = |one: &ApplicationSummary| *one.state() != ApplicationState::Terminated;
        all.extend(page?.applications.into_iter().filter(there));
    }
    Ok(all)
}

/// All that are wanted, from one list. Names aren't unique: the stack's own comes first.
pub async fn read(
    aws: &Aws,
    wanted: &[Wanted<EmrServerlessApplication>],
) -> Result<Vec<Found<EmrServerlessApplication>>, Error> {
    let listed = listed(aws).await?;
    let mut found = Vec::new();
    for one in wanted {
        let named = listed.iter().filter(|other| other.name() == Some(&one.name));
        let named = try_join_all(named.map(|other| get(aws, other.id()))).await?;
        let mut named: Vec<Application> = named.into_iter().flatten().collect();
        let ours = |one: &Application| {
            one.tags().is_some_and(|tags| tags.get("lagoa:stack") == Some(&aws.site.stack))
        };
        named.retain(|one| *one.state() != ApplicationState::Terminated);
        named.sort_by_key(|one| (!ours(one), one.created_at().secs(), one.application_id.clone()));
        let first = named.first().map(of_application);
        found.extend(first.map(|fields| Found { name: one.name.clone(), fields }));
    }
    Ok(found)
}

async fn get(aws: &Aws, id: &str) -> Result<Option<Application>, Error> {
    let reply = absent(aws.emr_serverless.get_application().application_id(id).send().await)?;
    Ok(reply.and_then(|reply| reply.application))
}

/// True once the application is stopped, false when it is gone; until then it is asked to stop, and
/// the error says that it is busy.
pub async fn stopped(cx: &Cx<'_>, id: &str) -> Result<bool, Error> {
    let Some(application) = get(cx.aws, id).await? else { return Ok(false) };
    match application.state() {
        ApplicationState::Terminated => Ok(false),
        ApplicationState::Created | ApplicationState::Stopped => Ok(true),
        state if is_passing(state) => Err(stopping()),
        _ => {
            let asked = cx.emr_serverless.stop_application().application_id(id).send().await;
            asked.map_err(|error| {
                Error::from(error).hint("cancel its jobs or wait until they are done: AWS stops no application while jobs run")
            })?;
            Err(stopping())
        }
    }
}

/// EMR Serverless says `Spark` where it takes `SPARK`.
fn from_word<T: DeserializeOwned>(word: &str) -> Option<T> {
    words::parse(&word.to_uppercase())
}

fn of_application(one: &Application) -> EmrServerlessApplication {
    let network = one.network_configuration();
    let logs = one.monitoring_configuration().and_then(|all| all.s3_monitoring_configuration());
    let interactive = one.interactive_configuration();
    let stop = one.auto_stop_configuration();
    let stops = stop.is_none_or(|stop| stop.enabled().unwrap_or(true));
    let idle = stop.and_then(|stop| stop.idle_timeout_minutes()).unwrap_or(15);
    let tags = one.tags().into_iter().flatten();
    EmrServerlessApplication {
        release_label: one.release_label().to_owned(),
        application_type: from_word(one.r#type()).unwrap_or(ApplicationType::Spark).into(),
        architecture: one.architecture().and_then(|one| from_word(one.as_str())),
        initial_capacity: one.initial_capacity().map(workers::from_aws).unwrap_or_default(),
        maximum_capacity: one.maximum_capacity().map(Capacity::from_aws),
        auto_start: one.auto_start_configuration().is_none_or(|one| one.enabled().unwrap_or(true)),
        auto_stop_idle_minutes: if stops { idle } else { 0 },
        subnets: network
            .map(|network| network.subnet_ids().iter().cloned().map(SubnetId).collect()),
        security_groups: network.map(|network| {
            network.security_group_ids().iter().cloned().map(SecurityGroupId).collect()
        }),
        image: one.image_configuration().map(|image| image.image_uri().to_owned()),
        log_uri: logs.and_then(|logs| logs.log_uri()).map(str::to_owned),
        studio: Some(interactive.and_then(|one| one.studio_enabled()).unwrap_or(false)),
        livy_endpoint: Some(
            interactive.and_then(|one| one.livy_endpoint_enabled()).unwrap_or(false),
        ),
        tags: tags.map(|(key, value)| (key.clone(), value.clone())).collect::<Tags>(),
        id: one.application_id().to_owned().into(),
        arn: one.arn().to_owned().into(),
        state: one.state().as_str().to_owned().into(),
    }
}
