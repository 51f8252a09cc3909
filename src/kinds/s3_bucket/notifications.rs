//! Who is told when objects come and go.

use std::collections::BTreeSet;

use aws_sdk_s3::types;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws::{Aws, Error};
use crate::kind::Cx;
use crate::reference::is_marked;

/// Who is told when objects come and go. What isn't listed isn't told: `{}` tells nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Notifications {
    /// Send every event to EventBridge. Default false.
    pub event_bridge: bool,
    /// Lambda functions; each must allow `s3.amazonaws.com` to invoke it.
    pub lambda_functions: BTreeSet<Destination>,
    /// SQS queues; each queue's policy must allow `s3.amazonaws.com` to send.
    pub queues: BTreeSet<Destination>,
    /// SNS topics; each topic's policy must allow `s3.amazonaws.com` to publish.
    pub topics: BTreeSet<Destination>,
}

/// One receiver, and what it is told. The same receiver may be listed again for other keys.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Destination {
    /// ARN of the function, queue or topic.
    pub arn: String,
    /// S3's own event names, such as `s3:ObjectCreated:*`.
    #[schemars(length(min = 1))]
    pub events: BTreeSet<String>,
    /// Only objects whose key starts so, such as `raw/`. Default: all.
    #[serde(default)]
    pub prefix: String,
    /// Only objects whose key ends so, such as `.csv`. Default: all.
    #[serde(default)]
    pub suffix: String,
}

impl Destination {
    fn from_aws(
        arn: &str,
        events: &[types::Event],
        filter: Option<&types::NotificationConfigurationFilter>,
    ) -> Self {
        Self {
            arn: arn.to_owned(),
            events: events.iter().map(|event| event.as_str().to_owned()).collect(),
            prefix: filter_value(filter, "prefix"),
            suffix: filter_value(filter, "suffix"),
        }
    }

    fn events_to_aws(&self) -> Vec<types::Event> {
        self.events.iter().map(|event| event.as_str().into()).collect()
    }

    fn filter_to_aws(&self) -> Option<types::NotificationConfigurationFilter> {
        let rule = |name: types::FilterRuleName, value: &str| {
            let rule = types::FilterRule::builder().name(name).value(value).build();
            (!value.is_empty()).then_some(rule)
        };
        let prefix = rule(types::FilterRuleName::Prefix, &self.prefix);
        let suffix = rule(types::FilterRuleName::Suffix, &self.suffix);
        let rules: Vec<_> = prefix.into_iter().chain(suffix).collect();
        if rules.is_empty() {
            return None;
        }
        let key = types::S3KeyFilter::builder().set_filter_rules(Some(rules)).build();
        Some(types::NotificationConfigurationFilter::builder().key(key).build())
    }
}

/// S3 takes `prefix` and answers `Prefix`.
fn filter_value(filter: Option<&types::NotificationConfigurationFilter>, name: &str) -> String {
    let rules = filter.and_then(|filter| filter.key()).map(|key| key.filter_rules());
    let mut rules = rules.unwrap_or_default().iter();
    let named = |rule: &&types::FilterRule| {
        rule.name().is_some_and(|rule| rule.as_str().eq_ignore_ascii_case(name))
    };
    rules.find(named).and_then(|rule| rule.value()).unwrap_or_default().to_owned()
}

impl Notifications {
    fn to_aws(&self) -> Result<types::NotificationConfiguration, Error> {
        let function = |to: &Destination| {
            types::LambdaFunctionConfiguration::builder()
                .lambda_function_arn(&to.arn)
                .set_events(Some(to.events_to_aws()))
                .set_filter(to.filter_to_aws())
                .build()
        };
        let queue = |to: &Destination| {
            types::QueueConfiguration::builder()
                .queue_arn(&to.arn)
                .set_events(Some(to.events_to_aws()))
                .set_filter(to.filter_to_aws())
                .build()
        };
        let topic = |to: &Destination| {
            types::TopicConfiguration::builder()
                .topic_arn(&to.arn)
                .set_events(Some(to.events_to_aws()))
                .set_filter(to.filter_to_aws())
                .build()
        };
        let bus = self.event_bridge.then(|| types::EventBridgeConfiguration::builder().build());
        Ok(types::NotificationConfiguration::builder()
            .set_event_bridge_configuration(bus)
            .set_lambda_function_configurations(Some(
                self.lambda_functions.iter().map(function).collect::<Result<_, _>>()?,
            ))
            .set_queue_configurations(Some(
                self.queues.iter().map(queue).collect::<Result<_, _>>()?,
            ))
            .set_topic_configurations(Some(
                self.topics.iter().map(topic).collect::<Result<_, _>>()?,
            ))
            .build())
    }
}

/// No configuration is one that tells nobody.
pub async fn read(aws: &Aws, bucket: &str) -> Result<Notifications, Error> {
    let reply = aws.s3.get_bucket_notification_configuration().bucket(bucket).send().await?;
    Ok(Notifications {
        event_bridge: reply.event_bridge_configuration().is_some(),
        lambda_functions: (reply.lambda_function_configurations().iter())
            .map(|f| Destination::from_aws(f.lambda_function_arn(), f.events(), f.filter()))
            .collect(),
        queues: (reply.queue_configurations().iter())
            .map(|q| Destination::from_aws(q.queue_arn(), q.events(), q.filter()))
            .collect(),
        topics: (reply.topic_configurations().iter())
            .map(|t| Destination::from_aws(t.topic_arn(), t.events(), t.filter()))
            .collect(),
    })
}

/// Replaces the whole configuration; S3 tries to reach each receiver before it agrees.
pub async fn put(notifications: &Notifications, cx: &Cx<'_>) -> Result<(), Error> {
    let configuration = notifications.to_aws()?;
    let call = cx.s3.put_bucket_notification_configuration().bucket(cx.name);
    call.notification_configuration(configuration).send().await?;
    Ok(())
}

/// What S3 would refuse about the receivers: (field, message).
pub fn check(notifications: &Notifications) -> Vec<(&'static str, String)> {
    let lists = [
        ("lambda_functions", &notifications.lambda_functions),
        ("queues", &notifications.queues),
        ("topics", &notifications.topics),
    ];
    let mut complaints = Vec::new();
    for (field, to) in
        lists.into_iter().flat_map(|(field, list)| list.iter().map(move |to| (field, to)))
    {
        for event in &to.events {
            if !event.starts_with("s3:") && !is_marked(event) {
                complaints.push((field, format!("{event} is no event of S3; names begin with s3:, such as s3:ObjectCreated:*")));
            }
        }
        if to.events.is_empty() {
            complaints.push((
                field,
                "`events` is empty; name at least one, such as s3:ObjectCreated:*".to_owned(),
            ));
        }
        if !to.arn.starts_with("arn:") && !is_marked(&to.arn) {
            complaints.push((field, format!("{} is no ARN", to.arn)));
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn destination(prefix: &str, suffix: &str) -> Destination {
        Destination {
            arn: "arn:aws:sqs:us-east-1:123456789012:q".into(),
            events: BTreeSet::from(["s3:ObjectCreated:*".into(), "s3:Odd:New".into()]),
            prefix: prefix.into(),
            suffix: suffix.into(),
        }
    }

    fn returned(
        to: &Destination,
        filter: Option<&types::NotificationConfigurationFilter>,
    ) -> Destination {
        Destination::from_aws(&to.arn, &to.events_to_aws(), filter)
    }

    /// How S3 spells the filter names in its answers.
    fn capitalised(
        filter: types::NotificationConfigurationFilter,
    ) -> types::NotificationConfigurationFilter {
        let rules = filter.key.unwrap().filter_rules.unwrap().into_iter().map(|mut rule| {
            let name =
                rule.name.unwrap().as_str().replace("prefix", "Prefix").replace("suffix", "Suffix");
            rule.name = Some(name.as_str().into());
            rule
        });
        let key = types::S3KeyFilter::builder().set_filter_rules(Some(rules.collect())).build();
        types::NotificationConfigurationFilter::builder().key(key).build()
    }

    #[test]
    fn filter_names_may_be_capitalised() {
        for (prefix, suffix) in [("raw/", ".csv"), ("raw/", ""), ("", ".csv")] {
            let to = destination(prefix, suffix);
            let filter = to.filter_to_aws().unwrap();
            assert_eq!(returned(&to, Some(&filter)), to);
            assert_eq!(returned(&to, Some(&capitalised(filter))), to);
        }
        let to = destination("", "");
        assert_eq!(to.filter_to_aws(), None);
        assert_eq!(returned(&to, None), to);
    }

    #[test]
    fn an_empty_one_tells_nobody() {
        let none: Notifications = serde_json::from_value(json!({})).unwrap();
        assert_eq!(none, Notifications::default());
        let sent = none.to_aws().unwrap();
        assert!(
            sent.event_bridge_configuration().is_none() && sent.queue_configurations().is_empty()
        );
    }

    #[test]
    fn mistakes_are_named() {
        let mut to = destination("", "");
        to.events = BTreeSet::from(["ObjectCreated".into()]);
        to.arn = "q".into();
        let wrong = Notifications { queues: BTreeSet::from([to]), ..Notifications::default() };
        let fields: Vec<_> = check(&wrong).into_iter().map(|(field, _)| field).collect();
        assert_eq!(fields, ["queues", "queues"]);
    }
}
