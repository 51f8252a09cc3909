//! Credentials in GitHub Actions, without a key that anyone keeps: GitHub vouches for the job with a
//! token, and STS gives credentials of a role for it. They last an hour; whoever works longer gets
//! new ones for a new token.

mod token;

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use aws_types::SdkConfig;
use secrecy::{ExposeSecret, SecretString};

use super::{Class, Error};
use token::{Claims, Tokens};

/// Who the token is meant for.
const AUDIENCE: &str = "sts.amazonaws.com";
/// Characters that the name of a session may have.
const SESSION_LENGTH: usize = 64;
/// How long before they end credentials are renewed; the SDK may wait half of it longer, and no call
/// takes that long.
pub const AHEAD: Duration = Duration::from_secs(120);
/// How long it may take to get credentials, with all attempts.
pub const PATIENCE: Duration = Duration::from_secs(45);

/// What the job may ask for, and how.
#[derive(Clone, Debug)]
pub struct Grant {
    /// Where GitHub gives tokens.
    url: String,
    /// What the job shows to get one.
    bearer: SecretString,
    /// The role to work with.
    role: String,
    /// How the work shows in CloudTrail.
    session: String,
}

/// Where the process runs, as far as it matters for credentials.
#[derive(Clone, Debug)]
pub enum Standing {
    /// Not in GitHub Actions, or the environment names credentials of its own.
    Elsewhere,
    /// GitHub vouches for the job, and a role is named.
    Vouched(Grant),
    /// In GitHub Actions, where something is missing.
    Lacking {
        /// No role is named.
        role: bool,
        /// The job may not ask for a token.
        token: bool,
    },
}

/// What in the environment names credentials, before which GitHub's word doesn't count.
const OTHERS: [&str; 3] = ["AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE"];

impl Standing {
    /// Reads it off the environment.
    pub fn new(environment: &dyn Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| environment(name).filter(|value| !value.is_empty());
        if OTHERS.iter().any(|name| set(name).is_some()) {
            return Self::Elsewhere;
        }
        let token = set("ACTIONS_ID_TOKEN_REQUEST_URL").zip(set("ACTIONS_ID_TOKEN_REQUEST_TOKEN"));
        match (token, set("AWS_ROLE_ARN")) {
            (Some((url, bearer)), Some(role)) => {
                let session = set("AWS_ROLE_SESSION_NAME").unwrap_or_else(|| {
                    let of = |name| set(name).unwrap_or_default();
                    session(&of("GITHUB_REPOSITORY"), &of("GITHUB_RUN_ID"))
                });
                Self::Vouched(Grant { url, bearer: bearer.into(), role, session })
            }
            (token, role) if set("GITHUB_ACTIONS").as_deref() == Some("true") => {
                Self::Lacking { role: role.is_none(), token: token.is_none() }
            }
            _ => Self::Elsewhere,
        }
    }

    /// What to do when there are no credentials; `None` when GitHub has nothing to do with it.
    pub fn remedy(&self) -> Option<String> {
        let Self::Lacking { role, token } = *self else { return None };
        let permission = "let the job ask GitHub for a token: `permissions: { id-token: write, \
                          contents: read }` in the workflow";
        let name = "name the role to work with: the input `role` of the action, or AWS_ROLE_ARN in \
                    the environment (`lagoa init --ci github` writes such roles)";
        let both = [token.then_some(permission), role.then_some(name)];
        Some(both.into_iter().flatten().collect::<Vec<_>>().join("; and "))
    }
}

/// `lagoa-<repository>-<run>`, of the characters that STS takes; the repository's name is cut when
/// that is too long, never the run's number.
fn session(repository: &str, run: &str) -> String {
    let name = repository.rsplit('/').next().unwrap_or_default();
    let allowed = |c: &char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(*c);
    let clean = |text: &str| -> String {
        text.chars().map(|c| if allowed(&c) { c } else { '-' }).collect()
    };
    let run = clean(run);
    let room = SESSION_LENGTH.saturating_sub("lagoa--".len() + run.len());
    let name: String = clean(name).chars().take(room).collect();
    let parts = ["lagoa", name.as_str(), run.as_str()];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

/// Gives credentials of a role for GitHub's word.
#[derive(Debug)]
pub struct Vouched {
    grant: Grant,
    tokens: Tokens,
    sts: aws_sdk_sts::Client,
}

impl Vouched {
    /// For a job with these rights. `config` tells where STS is, and how calls are made.
    pub fn new(grant: Grant, config: &SdkConfig) -> Self {
        let tokens = Tokens::new(&grant.url, grant.bearer.clone(), config);
        Self { grant, tokens, sts: aws_sdk_sts::Client::new(config) }
    }

    async fn exchange(&self) -> Result<Credentials, Error> {
        let Grant { role, session, .. } = &self.grant;
        let account = account_of(role)?;
        let token = self.tokens.get(AUDIENCE).await?;
        let call = self.sts.assume_role_with_web_identity().role_arn(role);
        let call = call.role_session_name(session).web_identity_token(token.expose_secret());
        let reply = call.send().await.map_err(|error| {
            refused(error.into(), role, account, &Claims::of(token.expose_secret()))
        })?;
        let given =
            reply.credentials().ok_or_else(|| Error::internal("STS gave no credentials"))?;
        let ends = SystemTime::try_from(*given.expiration());
        let ends = ends.map_err(|_| Error::internal("credentials end at no time there is"))?;
        tracing::info!(role, session, until = %given.expiration(), "GitHub vouches for this job");
        Ok(Credentials::builder()
            .access_key_id(given.access_key_id())
            .secret_access_key(given.secret_access_key())
            .session_token(given.session_token())
            .expiry(ends)
            .account_id(account)
            .provider_name("GitHubActions")
            .build())
    }
}

impl ProvideCredentials for Vouched {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            self.exchange().await.map_err(CredentialsError::provider_error)
        })
    }
}

/// The account of a role's ARN.
fn account_of(role: &str) -> Result<&str, Error> {
    let mut parts = role.splitn(6, ':');
    let fixed = [parts.next(), parts.next(), parts.next(), parts.next()];
    let (account, rest) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let is_role = fixed[0] == Some("arn")
        && fixed[2] == Some("iam")
        && account.len() == 12
        && account.bytes().all(|byte| byte.is_ascii_digit())
        && rest.strip_prefix("role/").is_some_and(|name| !name.is_empty());
    if is_role {
        return Ok(account);
    }
    let message = format!("AWS_ROLE_ARN is `{role}`, which is no ARN of a role");
    Err(Error::new(Class::Terminal, message)
        .hint("it looks like arn:aws:iam::123456789012:role/plan"))
}

/// What STS's refusal means for whoever set the role up.
fn refused(error: Error, role: &str, account: &str, claims: &Claims) -> Error {
    let Claims { subject, audience, issuer } = claims;
    let partition = role.split(':').nth(1).unwrap_or("aws");
    let provider = format!("arn:{partition}:iam::{account}:oidc-provider/{issuer}");
    let hint = match error.code.as_str() {
        "AccessDenied" => format!(
            "the job's token has the `sub` {subject} and the `aud` {audience}; the trust policy of \
             {role} must allow sts:AssumeRoleWithWebIdentity to {{\"Federated\": \"{provider}\"}} \
             where StringEquals {{\"{issuer}:sub\": \"{subject}\", \"{issuer}:aud\": \
             \"{audience}\"}}, and under no condition that this job doesn't meet, if it shall have the \
             role. `lagoa init --ci github` writes such roles"
        ),
        "InvalidIdentityToken" => format!(
            "account {account} must know GitHub as {provider} with the audience {audience}: \
             `kind: iam_oidc_provider`, url https://{issuer}; `lagoa init --ci github` writes one"
        ),
        _ => return error,
    };
    let message = format!("{role} doesn't let this job in: {}", error.message);
    Error { message, ..error }.hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(set: &[(&str, &str)]) -> Standing {
        let set: Vec<(String, String)> =
            set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Standing::new(&move |name| {
            set.iter().find(|(one, _)| one == name).map(|(_, value)| value.clone())
        })
    }

    const TOKEN: [(&str, &str); 2] = [
        ("ACTIONS_ID_TOKEN_REQUEST_URL", "https://token/?api=2"),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "hunter2"),
    ];
    const ROLE: (&str, &str) = ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/plan");
    const ACTIONS: (&str, &str) = ("GITHUB_ACTIONS", "true");

    #[test]
    fn github_vouches_when_token_and_role_are_there_and_nobody_else_does() {
        let both = [TOKEN[0], TOKEN[1], ROLE];
        assert!(matches!(standing(&both), Standing::Vouched(_)));
        for other in OTHERS {
            let all = [TOKEN[0], TOKEN[1], ROLE, (other, "x")];
            assert!(matches!(standing(&all), Standing::Elsewhere), "{other}");
        }
        // An empty variable, as an unset input leaves it, is none.
        let empty = [TOKEN[0], TOKEN[1], ROLE, ("AWS_PROFILE", "")];
        assert!(matches!(standing(&empty), Standing::Vouched(_)));
        assert!(matches!(standing(&[ROLE]), Standing::Elsewhere));
    }

    #[test]
    fn what_is_missing_is_named() {
        let remedy = |set: &[(&str, &str)]| standing(set).remedy().unwrap_or_default();
        let neither = remedy(&[ACTIONS]);
        assert!(neither.contains("id-token: write") && neither.contains("AWS_ROLE_ARN"));
        let role = remedy(&[ACTIONS, TOKEN[0], TOKEN[1]]);
        assert!(!role.contains("id-token") && role.contains("AWS_ROLE_ARN"), "{role}");
        let token = remedy(&[ACTIONS, ROLE]);
        assert!(token.contains("id-token") && !token.contains("AWS_ROLE_ARN"), "{token}");
        assert!(standing(&[]).remedy().is_none());
    }

    #[test]
    fn a_session_has_a_name_that_sts_takes() {
        assert_eq!(session("acme/lake", "123"), "lagoa-lake-123");
        assert_eq!(session("", ""), "lagoa");
        let long = session(&format!("acme/{}", "é".repeat(100)), "1234567890");
        assert_eq!(long.len(), SESSION_LENGTH);
        assert!(long.starts_with("lagoa---") && long.ends_with("-1234567890"), "{long}");
    }

    #[test]
    fn a_token_never_shows() {
        let text = format!("{:?}", standing(&[TOKEN[0], TOKEN[1], ROLE]));
        assert!(!text.contains("hunter2"), "{text}");
    }

    #[test]
    fn only_a_role_is_a_role() {
        assert_eq!(account_of(ROLE.1).ok(), Some("123456789012"));
        assert_eq!(account_of("arn:aws-cn:iam::123456789012:role/a/b").ok(), Some("123456789012"));
        for wrong in ["plan", "arn:aws:iam::1:role/plan", "arn:aws:iam::123456789012:user/x", ""] {
            assert!(account_of(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_refusal_names_the_subject() {
        let denied = Error {
            code: "AccessDenied".to_owned(),
            ..Error::new(Class::Terminal, "Not authorized to perform sts:AssumeRoleWithWebIdentity")
        };
        let claims = Claims {
            subject: "repo:acme/lake:pull_request".to_owned(),
            audience: AUDIENCE.to_owned(),
            issuer: "token.actions.githubusercontent.com".to_owned(),
        };
        let error = refused(denied, ROLE.1, "123456789012", &claims);
        let hint = error.hint.unwrap_or_default();
        assert!(hint.contains("repo:acme/lake:pull_request"), "{hint}");
        assert!(hint.contains("oidc-provider/token.actions.githubusercontent.com"), "{hint}");
    }
}
