//! A parameter in Systems Manager's Parameter Store.

use std::collections::BTreeMap;
use std::path::Path;

use futures::future::try_join_all;
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::aws::kms::same_key;
use crate::aws::words::parse;
use crate::aws::{Aws, Error, absent, gone_is_fine, json};
use crate::field::{
    Computed, Differs, Immutable, KmsKeyArn, SecretSource, Tags, WriteOnly, leave_out,
};
use crate::kind::{ANY, Access, Cx, Farewell, Found, Grant, Kind, Site, Wanted};
use crate::reference::is_marked;

/// A parameter: a text that programs look up by its name. A secret text is a `SecureString`, whose
/// value is taken from elsewhere, and never read for a plan, printed or compared.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SsmParameter {
    /// `String`, `StringList` (values between commas) or `SecureString`. Default `String`.
    #[serde(default)]
    pub r#type: Immutable<Type>,
    /// The text of a `String` or `StringList`: up to 4096 characters, or 8192 with
    /// `tier: Advanced`.
    #[schemars(length(min = 1, max = 8192))]
    pub value: Option<String>,
    /// Where the text of a `SecureString` comes from: `${env.NAME}`, a secret or another parameter.
    /// Sent at creation, and again with `--rotate KEY`.
    pub secret: Option<WriteOnly<SecretSource>>,
    /// The KMS key that encrypts a `SecureString`: key, id, ARN or alias. Without one, AWS's own
    /// `alias/aws/ssm`.
    pub kms_key: Option<KmsKeyArn>,
    /// What the parameter is for; at most 1024 characters.
    #[schemars(length(max = 1024))]
    pub description: Option<String>,
    /// A pattern that every value must match, as a regular expression.
    #[schemars(length(max = 1024))]
    pub allowed_pattern: Option<String>,
    /// `Standard` is free; `Advanced` holds more and costs money, and can't become `Standard`
    /// again; `Intelligent-Tiering` becomes what the value needs. AWS starts with the account's
    /// default, `Standard` unless somebody changed it.
    pub tier: Option<Tier>,
    /// `text`, or `aws:ec2:image` for what must be the id of an image. AWS starts with `text`.
    pub data_type: Option<Immutable<DataType>>,
    /// Tags, merged over the stack's own.
    #[serde(default)]
    pub tags: Tags,
    /// `arn:aws:ssm:region:account:parameter/name`.
    #[serde(default)]
    pub arn: Computed<String>,
    /// How many times the parameter was written.
    #[serde(default)]
    pub version: Computed<i64>,
}

/// What a parameter's text is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub enum Type {
    #[default]
    String,
    StringList,
    SecureString,
}

/// What a parameter may hold, and what it costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub enum Tier {
    Standard,
    Advanced,
    #[serde(rename = "Intelligent-Tiering")]
    IntelligentTiering,
}

/// What a parameter's text must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub enum DataType {
    #[serde(rename = "text")]
    Text,
    #[serde(rename = "aws:ec2:image")]
    Ec2Image,
}

/// How many names `GetParameters` and `DescribeParameters` take.
const NAMES_TO_GET: usize = 10;
const NAMES_TO_DESCRIBE: usize = 50;

/// How many bytes a parameter of tier `Standard` holds.
const MOST_IN_STANDARD: usize = 4096;

impl Kind for SsmParameter {
    const EXAMPLE: &'static str = "
coins-currencies:
  kind: ssm_parameter
  name: /coins/currencies
  type: StringList
  value: brl,usd,eur
  description: the currencies that are fetched
  allowed_pattern: '^[a-z,]+$'
  tags: { Projeto: Bootcamp }
";
    const NAME: &'static str = r"^/?[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+){0,14}$";
    const ACCESS: Access = Access {
        read: &[
            Grant::of(&["ssm:DescribeParameters"], ANY),
            Grant::of(&["ssm:GetParameters", "ssm:ListTagsForResource"], &["{arn}"]),
        ],
        write: &[
            Grant::of(
                &["ssm:AddTagsToResource", "ssm:PutParameter", "ssm:RemoveTagsFromResource"],
                &["{arn}"],
            ),
            Grant::of(&["ssm:GetParameter"], &["{arn}"]).given("secret"),
            Grant::encrypting(&["ssm"], "kms_key"),
        ],
        delete: &[Grant::of(&["ssm:DeleteParameter"], &["{arn}"])],
        ..Access::NONE
    };

    async fn read(aws: &Aws, wanted: &[Wanted<Self>]) -> Result<Vec<Found<Self>>, Error> {
        let found = describe(aws, wanted).await?;
        let values = values(aws, wanted).await?;
        let reads = found.into_iter().map(|one| with_tags(aws, one, &values));
        Ok(try_join_all(reads).await?.into_iter().flatten().collect())
    }

    async fn owned(aws: &Aws) -> Result<Vec<String>, Error> {
        // The ARN of `/coins/x` ends in `parameter/coins/x`, and so does that of `coins/x`, which
        // can't be: a name with a level begins with `/`.
        let names = aws.swept("ssm", "parameter/").await?.into_iter();
        Ok(names.map(|name| if name.contains('/') { format!("/{name}") } else { name }).collect())
    }

    async fn names(aws: &Aws) -> Result<Vec<String>, Error> {
        let all = described(aws, &json!([])).await?;
        Ok(all.into_iter().map(|one| one.name).collect())
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<(), Error> {
        let value = self.fresh_value(cx).await?;
        let mut members = self.members(None, &value, cx.name);
        members["Overwrite"] = false.into();
        members["Tags"] = self.tags.iter().map(tag).collect();
        cx.ssm.ask("PutParameter", members).await
    }

    async fn update(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        self.update_tags(live, cx).await?;
        let same = !self.value.differs(&live.value)
            && !self.kms_key.differs(&live.kms_key)
            && !self.description.differs(&live.description)
            && !self.allowed_pattern.differs(&live.allowed_pattern)
            && !self.tier.differs(&live.tier);
        if same && !cx.rotate {
            return Ok(());
        }
        let value = if cx.rotate || self.secret.is_none() {
            self.fresh_value(cx).await?
        } else {
            // Every change sends the value; a secret one stays as it is unless it is rotated.
            let source = SecretSource::Parameter { parameter: cx.name.to_owned(), key: None };
            cx.secret(&source).await?
        };
        let mut members = self.members(Some(live), &value, cx.name);
        members["Overwrite"] = true.into();
        cx.ssm.ask("PutParameter", members).await
    }

    async fn delete(&self, _farewell: &Farewell, cx: &Cx<'_>) -> Result<(), Error> {
        gone_is_fine(cx.ssm.ask("DeleteParameter", json!({ "Name": cx.name })).await)
    }

    fn accept(&mut self, live: &Self) {
        // What fits is left where it is; what doesn't has AWS choose anew.
        let long = self.value.as_ref().is_some_and(|value| value.len() > MOST_IN_STANDARD);
        let outgrown = long && live.tier == Some(Tier::Standard);
        if self.tier == Some(Tier::IntelligentTiering) && !outgrown {
            self.tier = live.tier;
        }
        if self.kms_key.is_some() && same_key(self.kms_key.as_deref(), live.kms_key.as_deref()) {
            self.kms_key.clone_from(&live.kms_key);
        }
    }

    fn predict(&mut self, name: &str, site: &Site, _root: &Path) {
        let name = name.trim_start_matches('/');
        self.arn = site.arn("ssm", &site.region, &format!("parameter/{name}")).into();
    }

    fn written(&mut self, _name: &str, _site: &Site) {
        leave_out(&mut self.tier, Tier::Standard);
        leave_out(&mut self.data_type, Immutable(DataType::Text));
        leave_out(&mut self.kms_key, KmsKeyArn("alias/aws/ssm".to_owned()));
    }

    fn replace_because(&self, live: &Self) -> Option<String> {
        (self.tier == Some(Tier::Standard) && live.tier == Some(Tier::Advanced))
            .then(|| "AWS can't make an Advanced parameter Standard again".to_owned())
    }

    fn check(&self, _root: &Path) -> Vec<(String, String)> {
        let mut wrong = Vec::new();
        let mut say = |path: &str, message: &str| wrong.push((path.to_owned(), message.to_owned()));
        match *self.r#type {
            Type::SecureString => {
                if self.value.is_some() {
                    let message = "a SecureString may not be written in the stack file: write \
                         `secret: ${env.NAME}` or `secret: { secret: NAME }`";
                    say("value", message);
                } else if self.secret.is_none() {
                    say("secret", "a SecureString needs a `secret` to take its value from");
                }
            }
            _ if self.secret.is_some() => {
                say("secret", "this is for `type: SecureString`");
            }
            _ if self.value.is_none() => say("value", "the field `value` is missing"),
            _ => {}
        }
        if self.kms_key.is_some() && *self.r#type != Type::SecureString {
            say("kms_key", "only a SecureString is encrypted with a key");
        }
        let length = self.value.as_ref().filter(|value| !is_marked(value)).map(String::len);
        let standard = self.tier == Some(Tier::Standard);
        if standard && length.is_some_and(|length| length > MOST_IN_STANDARD) {
            say("value", "more than 4096 characters need `tier: Advanced`");
        }
        wrong
    }
}

impl SsmParameter {
    async fn fresh_value(&self, cx: &Cx<'_>) -> Result<SecretString, Error> {
        match (&self.secret, &self.value) {
            (Some(source), _) => cx.secret(source).await,
            (None, value) => Ok(SecretString::from(value.clone().unwrap_or_default())),
        }
    }

    /// What a write says. It replaces all there is, so what the stack leaves to AWS is said again.
    fn members(&self, live: Option<&Self>, value: &SecretString, name: &str) -> Value {
        let or_live = |desired: Option<String>, live: Option<String>| desired.or(live);
        let has = |field: fn(&Self) -> &Option<String>| live.and_then(|live| field(live).clone());
        let kms_key = self.kms_key.as_ref().or(live.and_then(|live| live.kms_key.as_ref()));
        json!({
            "Name": name,
            "Type": self.r#type,
            "Value": value.expose_secret(),
            "KeyId": kms_key.filter(|_| *self.r#type == Type::SecureString),
            "Description": or_live(self.description.clone(), has(|one| &one.description)),
            "AllowedPattern": or_live(self.allowed_pattern.clone(), has(|one| &one.allowed_pattern)),
            "Tier": self.tier.or(live.and_then(|live| live.tier)),
            "DataType": self.data_type,
        })
    }

    async fn update_tags(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        let (set, remove) = self.tags.change_from(&live.tags);
        if !set.is_empty() {
            let tags: Vec<Value> = set.iter().map(tag).collect();
            let members = json!({
                "ResourceType": "Parameter", "ResourceId": cx.name, "Tags": tags,
            });
            cx.ssm.ask("AddTagsToResource", members).await?;
        }
        if !remove.is_empty() {
            let members = json!({
                "ResourceType": "Parameter", "ResourceId": cx.name, "TagKeys": remove,
            });
            cx.ssm.ask("RemoveTagsFromResource", members).await?;
        }
        Ok(())
    }
}

fn tag((key, value): (&String, &String)) -> Value {
    json!({ "Key": key, "Value": value })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Described {
    #[serde(default, deserialize_with = "json::list")]
    parameters: Vec<Metadata>,
    next_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata {
    name: String,
    r#type: Type,
    key_id: Option<String>,
    description: Option<String>,
    allowed_pattern: Option<String>,
    tier: Option<String>,
    data_type: Option<String>,
    version: Option<i64>,
    #[serde(rename = "ARN")]
    arn: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Values {
    #[serde(default, deserialize_with = "json::list")]
    parameters: Vec<NameValue>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NameValue {
    name: String,
    value: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TagList {
    #[serde(default, deserialize_with = "json::list")]
    tag_list: Vec<Tag>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tag {
    key: String,
    value: String,
}

async fn describe(aws: &Aws, wanted: &[Wanted<SsmParameter>]) -> Result<Vec<Metadata>, Error> {
    let mut found = Vec::new();
    for some in wanted.chunks(NAMES_TO_DESCRIBE) {
        let names: Vec<&str> = some.iter().map(|one| one.name.as_str()).collect();
        let only = json!([{ "Key": "Name", "Option": "Equals", "Values": names }]);
        found.extend(described(aws, &only).await?);
    }
    Ok(found)
}

/// The parameters that pass the filters, from all pages.
async fn described(aws: &Aws, filters: &Value) -> Result<Vec<Metadata>, Error> {
    let mut found = Vec::new();
    let mut token = None;
    loop {
        let members = json!({ "ParameterFilters": filters, "NextToken": token });
        let page: Described = aws.ssm.call("DescribeParameters", members).await?;
        found.extend(page.parameters);
        token = page.next_token.filter(|token| !token.is_empty());
        if token.is_none() {
            return Ok(found);
        }
    }
}

/// The texts of those that aren't secret.
async fn values(
    aws: &Aws,
    wanted: &[Wanted<SsmParameter>],
) -> Result<BTreeMap<String, String>, Error> {
    let compared = |one: &&Wanted<SsmParameter>| one.asks(|desired| desired.value.is_some());
    let names: Vec<&str> = wanted.iter().filter(compared).map(|one| one.name.as_str()).collect();
    let calls = names.chunks(NAMES_TO_GET).map(|names| {
        aws.ssm.call::<Values>("GetParameters", json!({ "Names": names, "WithDecryption": false }))
    });
    let replies = try_join_all(calls).await?.into_iter().flat_map(|reply| reply.parameters);
    Ok(replies.map(|one| (one.name, one.value)).collect())
}

/// Parameter Store reports the tags of a parameter in a call of their own.
async fn with_tags(
    aws: &Aws,
    one: Metadata,
    values: &BTreeMap<String, String>,
) -> Result<Option<Found<SsmParameter>>, Error> {
    let asked = json!({ "ResourceType": "Parameter", "ResourceId": one.name });
    let reply = aws.ssm.call("ListTagsForResource", asked).await;
    let Some(TagList { tag_list }) = absent(reply)? else { return Ok(None) };
    let secret = one.r#type == Type::SecureString;
    let fields = SsmParameter {
        r#type: one.r#type.into(),
        value: values.get(&one.name).filter(|_| !secret).cloned(),
        secret: None,
        kms_key: one.key_id.map(KmsKeyArn),
        description: Some(one.description.unwrap_or_default()),
        allowed_pattern: Some(one.allowed_pattern.unwrap_or_default()),
        tier: one.tier.as_deref().and_then(parse),
        data_type: one.data_type.as_deref().and_then(parse).map(Immutable),
        tags: tag_list.into_iter().map(|tag| (tag.key, tag.value)).collect(),
        arn: one.arn.into(),
        version: one.version.into(),
    };
    Ok(Some(Found { name: one.name, fields }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameter(fields: Value) -> SsmParameter {
        serde_json::from_value(fields).expect("fields of a parameter")
    }

    #[test]
    fn a_secret_is_never_written_in_the_stack() {
        let wrong = |fields| parameter(fields).check(Path::new("."));
        assert_eq!(wrong(json!({ "type": "SecureString", "value": "x" }))[0].0, "value");
        assert_eq!(wrong(json!({ "value": "x", "secret": { "env": "X" } }))[0].0, "secret");
        assert!(wrong(json!({ "type": "SecureString", "secret": { "env": "X" } })).is_empty());
        assert!(wrong(json!({ "value": "x" })).is_empty());
    }

    #[test]
    fn a_value_that_outgrows_its_tier_has_aws_choose_another() {
        let live = |tier: &str| parameter(json!({ "value": "a", "tier": tier }));
        let settled = |length: usize, tier: &str| {
            let value = "x".repeat(length);
            let mut desired = parameter(json!({ "value": value, "tier": "Intelligent-Tiering" }));
            desired.accept(&live(tier));
            desired.tier
        };
        assert_eq!(settled(4096, "Standard"), Some(Tier::Standard));
        assert_eq!(settled(4097, "Standard"), Some(Tier::IntelligentTiering));
        assert_eq!(settled(4097, "Advanced"), Some(Tier::Advanced));
    }

    #[test]
    fn a_write_keeps_what_the_stack_leaves_to_aws() {
        let live = parameter(json!({ "value": "a", "description": "d", "tier": "Advanced" }));
        let sent = parameter(json!({ "value": "b" }));
        let sent = sent.members(Some(&live), &SecretString::from("b"), "n");
        assert_eq!((&sent["Description"], &sent["Tier"]), (&json!("d"), &json!("Advanced")));
        assert_eq!((&sent["Value"], &sent["KeyId"]), (&json!("b"), &Value::Null));
    }
}
