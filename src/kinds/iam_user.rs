//! An IAM user: groups, policies, and the credentials that lagoa makes for it.

pub mod console;
pub mod farewell;
pub mod key;
pub mod notes;

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_iam::types::UserDetail;
use futures::future::try_join_all;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws::policies::{Held, Holder, inline_of, managed_of};
use crate::aws::{Aws, Error, gone_is_fine, iam, vault};
use crate::field::{
    Computed, Differs, GroupName, Policy, PolicyArn, Tags, WriteOnly, leave_out, set_change,
};
use crate::kind::{ANY, Access, Cx, Farewell, Found, Grant, Kind, Site, Wanted, When};

/// An IAM user: a person or a program that signs in with credentials of its own. Passwords and
/// access keys that lagoa makes for it go straight into Secrets Manager and are shown nowhere.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IamUser {
    /// Groups that the user is in: keys of `iam_group`, or names. The user leaves others.
    /// At most 10.
    #[serde(default)]
    pub groups: BTreeSet<GroupName>,
    /// Managed policies: keys of `iam_policy`, ARNs, or names of AWS's own such as
    /// `ReadOnlyAccess`. Others are detached. At most 10, unless the account's quota is higher.
    #[serde(default)]
    pub managed_policies: BTreeSet<PolicyArn>,
    /// Policies written into the user, by name: documents, or files beside the stack. Others are
    /// deleted. All together 2,048 characters, spaces not counted.
    #[serde(default)]
    pub inline_policies: BTreeMap<String, Policy>,
    /// The managed policy that bounds what the user may do at most: the key of an `iam_policy`, an
    /// ARN, or the name of one of AWS's own. An empty text removes the boundary there is.
    pub permissions_boundary: Option<PolicyArn>,
    /// Folder of the user, with a slash at both ends, such as `/team/`; `/` for a new user.
    #[schemars(regex(pattern = r"^/([!-~]+/)?$"), length(max = 512))]
    pub path: Option<String>,
    /// Lets the user sign in to the console with a password that lagoa generates: `console: {}`.
    /// Left out, lagoa makes no password and touches none.
    pub console: Option<Console>,
    /// Gives the user an access key: `access_key: {}`. Left out, lagoa makes no key and touches
    /// none.
    pub access_key: Option<AccessKey>,
    /// Tags, merged over the stack's own; the user's secrets get them too.
    #[serde(default)]
    pub tags: Tags,
    /// `arn:aws:iam::account:user/name`.
    #[serde(default)]
    pub arn: Computed<String>,
    /// Unique id, which starts with `AIDA` and isn't used again when the user is made anew.
    #[serde(default)]
    pub id: Computed<String>,
    /// Where the account's users sign in: `https://account.signin.aws.amazon.com/console`.
    #[serde(default)]
    pub console_url: Computed<String>,
    /// Id of the access key that lagoa made, when `access_key` is set.
    #[serde(default)]
    pub access_key_id: Computed<String>,
    /// ARN of the secret with the password, when `console` is set.
    #[serde(default)]
    pub password_secret_arn: Computed<String>,
    /// ARN of the secret with the access key, when `access_key` is set.
    #[serde(default)]
    pub access_key_secret_arn: Computed<String>,
}

/// How the user signs in to the console.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Console {
    /// Name of the Secrets Manager secret that the generated password goes into; by default
    /// `<user>/console`. A new value in the secret becomes the user's password at the next apply.
    #[schemars(regex(pattern = r"^[a-zA-Z0-9/_+=.@-]{1,256}$"))]
    pub password_secret: Option<String>,
    /// Whether the user has to choose another password at the first sign-in, which needs the
    /// permission `iam:ChangePassword`. Default false. Sent whenever lagoa sets the password.
    #[serde(default)]
    pub must_change_password: WriteOnly<bool>,
}

/// The access key that lagoa makes for the user.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccessKey {
    /// Name of the Secrets Manager secret that the key goes into, as a JSON object with
    /// `access_key_id` and `secret_access_key`; by default `<user>/access-key`.
    #[schemars(regex(pattern = r"^[a-zA-Z0-9/_+=.@-]{1,256}$"))]
    pub secret: Option<String>,
}

/// The secrets for a password and an access key, under the names that lagoa or the stack gives them.
const SECRETS: &[&str] = &[
    "secretsmanager:{region}:{account}:secret:{name}/console-??????",
    "secretsmanager:{region}:{account}:secret:{name}/access-key-??????",
    "secretsmanager:{region}:{account}:secret:{console.password_secret}-??????",
    "secretsmanager:{region}:{account}:secret:{access_key.secret}-??????",
];

/// In whatever folder it is, before or after a change.
const NAMED: &[&str] = &["iam::{account}:user/{name}", "iam::{account}:user/*/{name}"];

impl Kind for IamUser {
    const EXAMPLE: &'static str = "
ana:
  kind: iam_user
  path: /data/
  groups: [data-engineers]
  managed_policies: [ReadOnlyAccess]
  inline_policies:
    own-password:
      Version: '2012-10-17'
      Statement:
        - Effect: Allow
          Action: iam:ChangePassword
          Resource: 'arn:aws:iam::*:user/${aws:username}'
  console: { must_change_password: true }
  access_key: {}
  tags: { Projeto: Bootcamp }

data-engineers:
  kind: iam_group
";
    const NAME: &'static str = r"^[a-zA-Z0-9_+=,.@-]{1,64}$";
    const ACCESS: Access = Access {
        sweep: &[Grant::of(&["iam:GetAccountAuthorizationDetails"], ANY)],
        read: &[
            Grant::of(&["iam:GetLoginProfile", "iam:ListAccessKeys"], NAMED),
            vault::reading(SECRETS),
        ],
        write: &[
            Grant::of(
                &[
                    "iam:CreateAccessKey",
                    "iam:CreateLoginProfile",
                    "iam:CreateUser",
                    "iam:DeleteAccessKey",
                    "iam:DeleteLoginProfile",
                    "iam:DeleteUserPermissionsBoundary",
                    "iam:DeleteUserPolicy",
                    "iam:DetachUserPolicy",
                    "iam:GetAccessKeyLastUsed",
                    "iam:PutUserPermissionsBoundary",
                    "iam:PutUserPolicy",
                    "iam:TagUser",
                    "iam:UntagUser",
                    "iam:UpdateLoginProfile",
                    "iam:UpdateUser",
                ],
                NAMED,
            ),
            Grant::of(&["iam:AttachUserPolicy"], NAMED)
                .when(When::Attaching(&["{managed_policies}"])),
            Grant::of(
                &["iam:AddUserToGroup"],
                &["iam::{account}:group/{groups}", "iam::{account}:group/*/{groups}"],
            ),
            Grant::of(&["iam:RemoveUserFromGroup"], &["iam::{account}:group/*"]),
            vault::keeping(SECRETS),
            vault::FORMER,
            vault::destroying(SECRETS),
            Grant::of(&["secretsmanager:GetSecretValue"], SECRETS),
            Grant::of(&["secretsmanager:GetRandomPassword"], ANY).given("console"),
        ],
        delete: &[
            Grant::of(
                &[
                    "iam:DeactivateMFADevice",
                    "iam:DeleteAccessKey",
                    "iam:DeleteLoginProfile",
                    "iam:DeleteSSHPublicKey",
                    "iam:DeleteServiceSpecificCredential",
                    "iam:DeleteSigningCertificate",
                    "iam:DeleteUser",
                    "iam:DeleteUserPolicy",
                    "iam:DetachUserPolicy",
                    "iam:ListAccessKeys",
                    "iam:ListAttachedUserPolicies",
                    "iam:ListGroupsForUser",
                    "iam:ListMFADevices",
                    "iam:ListSSHPublicKeys",
                    "iam:ListServiceSpecificCredentials",
                    "iam:ListSigningCertificates",
                    "iam:ListUserPolicies",
                ],
                NAMED,
            ),
            Grant::of(&["iam:DeleteVirtualMFADevice"], &["iam::{account}:mfa/*"]),
            Grant::of(&["iam:RemoveUserFromGroup"], &["iam::{account}:group/*"]),
            vault::destroying(SECRETS),
        ],
        ..Access::NONE
    };

    async fn read(aws: &Aws, wanted: &[Wanted<Self>]) -> Result<Vec<Found<Self>>, Error> {
        let account = aws.account().await?;
        let found = wanted.iter().filter_map(|one| {
            let detail = iam::named(&account.users, UserDetail::user_name, &one.name)?;
            Some(read_one(aws, one, from_aws(detail)))
        });
        try_join_all(found).await
    }

    async fn owned(aws: &Aws) -> Result<Vec<String>, Error> {
        let account = aws.account().await?;
        let users = account.users.iter().map(|user| (user.user_name(), user.tags()));
        Ok(iam::tagged(users, &aws.site.stack))
    }

    async fn names(aws: &Aws) -> Result<Vec<String>, Error> {
        let account = aws.account().await?;
        Ok(account.users.iter().filter_map(|user| user.user_name.clone()).collect())
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<(), Error> {
        let boundary = self.permissions_boundary.as_ref().filter(|policy| !policy.is_empty());
        let boundary = boundary.map(|policy| iam::managed_policy(policy, &cx.site).0);
        cx.iam
            .create_user()
            .user_name(cx.name)
            .set_path(self.path.clone())
            .set_permissions_boundary(boundary)
            .set_tags(Some(iam::tag_set(&self.tags)?))
            .send()
            .await
            // The boundary may be a moment old.
            .map_err(iam::settling)?;
        Ok(())
    }

    async fn update(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        self.update_tags(live, cx).await?;
        if self.path.differs(&live.path) {
            let call = cx.iam.update_user().user_name(cx.name).set_new_path(self.path.clone());
            call.send().await.map_err(iam::settling)?;
        }
        self.update_boundary(live, cx).await?;
        self.update_groups(live, cx).await?;
        Holder::User(cx.name).converge(self.held(), live.held(), &cx.iam, &cx.site).await?;
        let rotate = cx.rotate;
        if let Some(console) = &self.console
            && (rotate
                || live.console.as_ref().is_none_or(|live| !console.same_secret(live, cx.name)))
        {
            console::set(console, self, live, rotate, cx).await?;
        }
        if let Some(key) = &self.access_key
            && (rotate
                || live.access_key.as_ref().is_none_or(|live| !key.same_secret(live, cx.name)))
        {
            key::issue(key, self, live, rotate, cx).await?;
        }
        Ok(())
    }

    async fn delete(&self, _farewell: &Farewell, cx: &Cx<'_>) -> Result<(), Error> {
        farewell::take(&self.tags, cx).await
    }

    fn accept(&mut self, live: &Self) {
        iam::accept_boundary(&mut self.permissions_boundary, live.permissions_boundary.as_ref());
        if self.path.is_none() || self.path == live.path {
            self.arn = live.arn.clone();
        }
    }

    fn predict(&mut self, name: &str, site: &Site, _root: &std::path::Path) {
        self.managed_policies = iam::managed_policies(&self.managed_policies, site);
        self.permissions_boundary =
            self.permissions_boundary.as_ref().map(|policy| iam::managed_policy(policy, site));
        if let Some(console) = &mut self.console {
            console.password_secret = Some(console.secret_name(name));
        }
        if let Some(key) = &mut self.access_key {
            key.secret = Some(key.secret_name(name));
        }
        let path = self.path.as_deref().unwrap_or("/");
        self.arn = site.arn("iam", "", &format!("user{path}{name}")).into();
        self.console_url = console::url(site).into();
    }

    fn written(&mut self, name: &str, site: &Site) {
        self.managed_policies = iam::short_policies(&self.managed_policies, site);
        let boundary = self.permissions_boundary.take();
        self.permissions_boundary = boundary.map(|policy| iam::short_policy(&policy, site));
        leave_out(&mut self.path, "/".to_owned());
        if let Some(console) = &mut self.console {
            leave_out(&mut console.password_secret, format!("{name}/console"));
        }
        if let Some(key) = &mut self.access_key {
            leave_out(&mut key.secret, format!("{name}/access-key"));
        }
    }

    fn check(&self, _root: &std::path::Path) -> Vec<(String, String)> {
        let mut wrong = iam::check_inline(&self.inline_policies, 2_048);
        let password = self.console.as_ref().and_then(|console| console.password_secret.as_ref());
        let key = self.access_key.as_ref().and_then(|key| key.secret.as_ref());
        if password.is_some() && password == key {
            let message = "the password and the access key need a secret each";
            wrong.push(("access_key.secret".into(), message.into()));
        }
        wrong
    }
}

impl Console {
    /// The secret that holds the password of the user of that name.
    pub fn secret_name(&self, user: &str) -> String {
        self.password_secret.clone().unwrap_or_else(|| format!("{user}/console"))
    }

    fn same_secret(&self, other: &Self, user: &str) -> bool {
        self.secret_name(user) == other.secret_name(user)
    }
}

impl AccessKey {
    /// The secret that holds the key of the user of that name.
    pub fn secret_name(&self, user: &str) -> String {
        self.secret.clone().unwrap_or_else(|| format!("{user}/access-key"))
    }

    fn same_secret(&self, other: &Self, user: &str) -> bool {
        self.secret_name(user) == other.secret_name(user)
    }
}

impl IamUser {
    fn held(&self) -> Held<'_> {
        Held { inline: &self.inline_policies, managed: &self.managed_policies }
    }

    async fn update_boundary(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        let (desired, live) = (&self.permissions_boundary, &live.permissions_boundary);
        match iam::boundary(desired.as_ref(), live.as_ref(), &cx.site) {
            iam::Boundary::Keep => Ok(()),
            iam::Boundary::Set(policy) => {
                let call = cx.iam.put_user_permissions_boundary().user_name(cx.name);
                let call = call.permissions_boundary(policy.0).send().await;
                call.map(drop).map_err(iam::settling)
            }
            iam::Boundary::Remove => {
                let call = cx.iam.delete_user_permissions_boundary().user_name(cx.name);
                gone_is_fine(call.send().await)
            }
        }
    }

    async fn update_groups(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        let (join, leave) = set_change(&self.groups, &live.groups);
        for group in leave {
            let call = cx.iam.remove_user_from_group().user_name(cx.name);
            gone_is_fine(call.group_name(group.0).send().await)?;
        }
        for group in join {
            let call = cx.iam.add_user_to_group().user_name(cx.name);
            call.group_name(group.0).send().await.map_err(iam::settling)?;
        }
        Ok(())
    }

    /// The secrets before the user: the user's tags tell the next run what is left to do.
    async fn update_tags(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        let (set, remove) = self.tags.change_from(&live.tags);
        if set.is_empty() && remove.is_empty() {
            return Ok(());
        }
        for secret in notes::secrets_in(&live.tags) {
            vault::retag(cx, secret, notes::holder(&live.tags), &set, &remove).await?;
        }
        if !set.is_empty() {
            let call = cx.iam.tag_user().user_name(cx.name);
            let call = call.set_tags(Some(iam::tag_set(&Tags(set))?)).send().await;
            call.map_err(iam::settling)?;
        }
        if !remove.is_empty() {
            let call = cx.iam.untag_user().user_name(cx.name);
            call.set_tag_keys(Some(remove)).send().await.map_err(iam::settling)?;
        }
        Ok(())
    }
}

/// What the bulk call doesn't have is asked for only if the stack sets it.
async fn read_one(
    aws: &Aws,
    wanted: &Wanted<IamUser>,
    mut fields: IamUser,
) -> Result<Found<IamUser>, Error> {
    if wanted.asks(|user| user.console.is_some()) {
        let live = console::read(aws, &wanted.name, &fields.tags).await?;
        (fields.console, fields.password_secret_arn.0) = live.unzip();
    }
    if wanted.asks(|user| user.access_key.is_some()) {
        let live = key::read(aws, &wanted.name, &fields.tags).await?;
        let (key, arn) = live.unzip();
        fields.access_key_id.0 = key.is_some().then(|| key::id(&fields.tags)).flatten();
        (fields.access_key, fields.access_key_secret_arn.0) = (key, arn);
    }
    fields.console_url = console::url(&aws.site).into();
    Ok(Found { name: wanted.name.clone(), fields })
}

fn from_aws(detail: &UserDetail) -> IamUser {
    let boundary = detail.permissions_boundary();
    IamUser {
        groups: detail.group_list().iter().map(|name| GroupName::from(name.as_str())).collect(),
        managed_policies: managed_of(detail.attached_managed_policies()),
        inline_policies: inline_of(detail.user_policy_list()),
        permissions_boundary: boundary
            .and_then(|boundary| boundary.permissions_boundary_arn().map(PolicyArn::from)),
        path: detail.path.clone(),
        console: None,
        access_key: None,
        tags: iam::tags_of(detail.tags()),
        arn: detail.arn.clone().into(),
        id: detail.user_id.clone().into(),
        console_url: Computed::default(),
        access_key_id: Computed::default(),
        password_secret_arn: Computed::default(),
        access_key_secret_arn: Computed::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_named_after_the_user() {
        let text = r#"{ "console": {}, "access_key": { "secret": "keys/ana" } }"#;
        let mut user: IamUser = serde_json::from_str(text).unwrap();
        let text = str::to_owned;
        let site = Site {
            partition: text("aws"),
            account: text("123456789012"),
            region: text("us-east-1"),
            stack: text("coins"),
        };
        user.predict("ana", &site, std::path::Path::new("."));
        assert_eq!(user.console.unwrap().password_secret.as_deref(), Some("ana/console"));
        assert_eq!(user.access_key.unwrap().secret.as_deref(), Some("keys/ana"));
        assert_eq!(user.arn.as_deref(), Some("arn:aws:iam::123456789012:user/ana"));
    }
}
