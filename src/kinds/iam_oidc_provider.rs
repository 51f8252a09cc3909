//! An identity provider that IAM trusts.

use std::collections::BTreeSet;

use futures::future::try_join_all;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws::{Aws, Error, absent, gone_is_fine, iam};
use crate::field::{Computed, Differs, Immutable, Tags, set_change};
use crate::kind::{ANY, Access, Cx, Farewell, Found, Grant, Kind, OnDestroy, Site, Wanted, When};
use crate::reference::is_marked;

/// An OpenID Connect provider that IAM trusts: the issuer of an EKS cluster, or GitHub. The key
/// names it in the stack only.
///
/// An account has one provider for each URL, so other stacks may stand on it: it stays when it
/// leaves the stack, gets another URL there, or the stack is destroyed, unless `on_destroy: delete` says otherwise, as it
/// should for a cluster's issuer. One that exists is taken over by `adopt: true`, or used without
/// declaring it: roles name it by its ARN.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IamOidcProvider {
    /// The issuer's URL, such as `https://token.actions.githubusercontent.com` or
    /// `${cluster.oidc_issuer}`; with `https://` or without.
    #[schemars(length(min = 1, max = 255))]
    pub url: Immutable<String>,
    /// Who the issuer's tokens may be meant for (their audiences). `[sts.amazonaws.com]` unless the
    /// stack says otherwise.
    #[serde(default = "sts")]
    #[schemars(length(min = 1, max = 100))]
    pub client_ids: BTreeSet<String>,
    /// SHA-1 thumbprints of the issuer's certificate authorities, 40 hexadecimal digits each. IAM
    /// finds them by itself, and needs none where a public authority vouches for the issuer.
    #[schemars(length(min = 1, max = 5))]
    pub thumbprints: Option<BTreeSet<String>>,
    /// Tags, merged over the stack's own.
    #[serde(default)]
    pub tags: Tags,
    /// `arn:aws:iam::account:oidc-provider/host/path`.
    #[serde(default)]
    pub arn: Computed<String>,
}

fn sts() -> BTreeSet<String> {
    BTreeSet::from(["sts.amazonaws.com".to_owned()])
}

impl Kind for IamOidcProvider {
    const EXAMPLE: &'static str = "
github:
  kind: iam_oidc_provider
  url: https://token.actions.githubusercontent.com
  client_ids: [sts.amazonaws.com]
  thumbprints: [6938fd4d98bab03faadb97b34396831e3780aea1]
  on_destroy: delete
  tags: { Projeto: Lake }
";
    const NAME: &'static str = r"^[a-zA-Z0-9_+=,.@-]{1,128}$";
    const ACCESS: Access = Access {
        sweep: &[
            Grant::of(&["iam:GetOpenIDConnectProvider"], &["iam::{account}:oidc-provider/*"]),
            Grant::of(&["iam:ListOpenIDConnectProviders"], ANY),
        ],
        write: &[Grant::of(
            &[
                "iam:AddClientIDToOpenIDConnectProvider",
                "iam:CreateOpenIDConnectProvider",
                "iam:RemoveClientIDFromOpenIDConnectProvider",
                "iam:TagOpenIDConnectProvider",
                "iam:UntagOpenIDConnectProvider",
                "iam:UpdateOpenIDConnectProviderThumbprint",
            ],
            &["iam::{account}:oidc-provider/{url}"],
        )],
        delete: &[Grant::of(
            &["iam:DeleteOpenIDConnectProvider", "iam:UntagOpenIDConnectProvider"],
            &["iam::{account}:oidc-provider/*"],
        )
        .when(When::Owned)],
        ..Access::NONE
    };
    const ON_DESTROY_DEFAULT: Option<OnDestroy> = Some(OnDestroy::Retain);
    const READS_AFTER_REFERENCES: bool = true;

    /// By its URL; by our mark where that isn't known, or isn't the same any more.
    async fn read(aws: &Aws, wanted: &[Wanted<Self>]) -> Result<Vec<Found<Self>>, Error> {
        let by_url = |one: &Wanted<Self>| {
            let url = one.desired.as_ref().map(|desired| desired.url.0.clone());
            url.filter(|url| !is_marked(url)).map(|url| aws.site.arn("iam", "", &resource(&url)))
        };
        let known = wanted.iter().map(|one| async move {
            match by_url(one) {
                Some(arn) => get(aws, &arn).await,
                None => Ok(None),
            }
        });
        let mut known = try_join_all(known).await?;
        if known.iter().any(Option::is_none) {
            let all = all(aws).await?;
            for (one, known) in wanted.iter().zip(&mut known).filter(|(_, known)| known.is_none()) {
                let meant = |provider: &&Self| match one.whole {
                    true => provider.name_for_import() == one.name,
                    false => provider.named(aws) == Some(one.name.as_str()),
                };
                *known = all.iter().find(meant).cloned();
            }
        }
        let found = wanted.iter().zip(known);
        Ok(found
            .filter_map(|(one, fields)| Some(Found { name: one.name.clone(), fields: fields? }))
            .collect())
    }

    /// There are few in an account, and the tagging API doesn't tell of them in every region.
    async fn owned(aws: &Aws) -> Result<Vec<String>, Error> {
        let all = all(aws).await?;
        Ok(all.iter().filter_map(|one| one.named(aws)).map(str::to_owned).collect())
    }

    async fn names(aws: &Aws) -> Result<Vec<String>, Error> {
        Ok(all(aws).await?.iter().map(Self::name_for_import).collect())
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<(), Error> {
        let thumbprints = self.thumbprints.as_ref().map(|all| all.iter().cloned().collect());
        cx.iam
            .create_open_id_connect_provider()
            .url(format!("https://{}", bare(&self.url)))
            .set_client_id_list(Some(self.client_ids.iter().cloned().collect()))
            .set_thumbprint_list(thumbprints)
            .set_tags(Some(iam::tag_set(&self.tags)?))
            .send()
            .await?;
        Ok(())
    }

    async fn update(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        let arn = live.known_arn()?;
        let (add, remove) = set_change(&self.client_ids, &live.client_ids);
        for id in add {
            let call = cx.iam.add_client_id_to_open_id_connect_provider();
            let call = call.open_id_connect_provider_arn(arn).client_id(id);
            call.send().await.map_err(iam::settling)?;
        }
        for id in remove {
            let call = cx.iam.remove_client_id_from_open_id_connect_provider();
            let call = call.open_id_connect_provider_arn(arn).client_id(id);
            call.send().await.map_err(iam::settling)?;
        }
        if self.thumbprints.differs(&live.thumbprints) {
            let all = self.thumbprints.iter().flatten().cloned().collect();
            let call = cx.iam.update_open_id_connect_provider_thumbprint();
            let call = call.open_id_connect_provider_arn(arn).set_thumbprint_list(Some(all));
            call.send().await.map_err(iam::settling)?;
        }
        let (set, remove) = self.tags.change_from(&live.tags);
        if !set.is_empty() {
            let call = cx.iam.tag_open_id_connect_provider().open_id_connect_provider_arn(arn);
            let call = call.set_tags(Some(iam::tag_set(&Tags(set))?));
            call.send().await.map_err(iam::settling)?;
        }
        if !remove.is_empty() {
            let call = cx.iam.untag_open_id_connect_provider().open_id_connect_provider_arn(arn);
            call.set_tag_keys(Some(remove)).send().await.map_err(iam::settling)?;
        }
        Ok(())
    }

    /// One that makes way for another URL's stays, too, unless the stack says otherwise: only our
    /// marks go.
    async fn delete(&self, farewell: &Farewell, cx: &Cx<'_>) -> Result<(), Error> {
        let arn = self.known_arn()?;
        if farewell.on_destroy == Some(OnDestroy::Retain) {
            let marks = self.tags.keys().filter(|key| key.starts_with("lagoa:")).cloned();
            let call = cx.iam.untag_open_id_connect_provider().open_id_connect_provider_arn(arn);
            return gone_is_fine(call.set_tag_keys(Some(marks.collect())).send().await);
        }
        let call = cx.iam.delete_open_id_connect_provider().open_id_connect_provider_arn(arn);
        gone_is_fine(call.send().await)
    }

    /// IAM keeps the URL without its scheme, and thumbprints in the case that they came in.
    fn predict(&mut self, name: &str, site: &Site, _root: &std::path::Path) {
        self.tags.0.insert("lagoa:name".to_owned(), name.to_owned());
        if is_marked(&self.url) {
            return;
        }
        self.url = Immutable(bare(&self.url).to_owned());
        self.arn = site.arn("iam", "", &resource(&self.url)).into();
    }

    fn accept(&mut self, live: &Self) {
        let lower = |all: &Option<BTreeSet<String>>| {
            let all = all.iter().flatten();
            all.map(|one| one.to_lowercase()).collect::<BTreeSet<_>>()
        };
        if self.thumbprints.is_some() && lower(&self.thumbprints) == lower(&live.thumbprints) {
            self.thumbprints = live.thumbprints.clone();
        }
    }

    fn check(&self, _root: &std::path::Path) -> Vec<(String, String)> {
        let mut wrong = Vec::new();
        if self.url.starts_with("http://") {
            let message = "IAM trusts issuers that are reached by https only";
            wrong.push(("url".to_owned(), message.to_owned()));
        }
        let odd = |one: &&String| {
            !is_marked(one) && (one.len() != 40 || !one.chars().all(|c| c.is_ascii_hexdigit()))
        };
        if let Some(odd) = self.thumbprints.iter().flatten().find(odd) {
            let message = format!("`{odd}` is no thumbprint: that is 40 hexadecimal digits");
            wrong.push(("thumbprints".to_owned(), message));
        }
        wrong
    }
}

impl IamOidcProvider {
    fn known_arn(&self) -> Result<&str, Error> {
        self.arn.as_deref().ok_or_else(|| Error::internal("a provider was read without its ARN"))
    }

    /// What has no name in AWS is known by its key, which our mark holds.
    fn named(&self, aws: &Aws) -> Option<&str> {
        let ours = self.tags.get("lagoa:stack") == Some(&aws.site.stack);
        self.tags.get("lagoa:name").filter(|_| ours).map(String::as_str)
    }
}

impl IamOidcProvider {
    /// What an import calls it: as its stack does, or after its URL.
    fn name_for_import(&self) -> String {
        let marked = self.tags.get("lagoa:name").cloned();
        marked.unwrap_or_else(|| self.url.replace('/', "-"))
    }
}

/// The URL as IAM keeps it.
fn bare(url: &str) -> &str {
    url.strip_prefix("https://").unwrap_or(url).trim_end_matches('/')
}

fn resource(url: &str) -> String {
    format!("oidc-provider/{}", bare(url))
}

async fn all(aws: &Aws) -> Result<Vec<IamOidcProvider>, Error> {
    let reply = aws.iam.list_open_id_connect_providers().send().await?;
    let arns = reply.open_id_connect_provider_list().iter().filter_map(|one| one.arn());
    let all = try_join_all(arns.map(|arn| get(aws, arn))).await?;
    Ok(all.into_iter().flatten().collect())
}

async fn get(aws: &Aws, arn: &str) -> Result<Option<IamOidcProvider>, Error> {
    let call = aws.iam.get_open_id_connect_provider().open_id_connect_provider_arn(arn);
    let Some(reply) = absent(call.send().await)? else { return Ok(None) };
    Ok(Some(IamOidcProvider {
        url: Immutable(bare(reply.url().unwrap_or_default()).to_owned()),
        client_ids: reply.client_id_list().iter().cloned().collect(),
        thumbprints: Some(reply.thumbprint_list().iter().cloned().collect()),
        tags: iam::tags_of(reply.tags()),
        arn: arn.to_owned().into(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_known_without_its_scheme() {
        for url in ["https://a.example/id/1", "a.example/id/1", "https://a.example/id/1/"] {
            assert_eq!(resource(url), "oidc-provider/a.example/id/1");
        }
    }
}
