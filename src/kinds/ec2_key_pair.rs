//! A key pair for logging in to instances.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures::future::try_join_all;
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::aws::vault::{self, Holder};
use crate::aws::{Aws, Error, ec2};
use crate::field::{Computed, Derived, Immutable, Tags, WriteOnly};
use crate::kind::{ANY, Access, Cx, Farewell, Found, Grant, Kind, Site, Wanted, When};
use crate::reference::is_marked;

/// A key pair, for logging in to machines. With `public_key` it is yours and EC2 learns its public
/// half; without, EC2 makes one, and the private half goes straight into a Secrets Manager secret:
/// it is never shown and never written to a disk. `--rotate KEY` makes it anew. To use the private
/// key:
/// `aws secretsmanager get-secret-value --secret-id NAME/private-key --query SecretString --output
/// text | jq -r .private_key`
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ec2KeyPair {
    /// The public key, as in an OpenSSH `.pub` file: `ssh-ed25519 AAAA…` or `ssh-rsa AAAA…`.
    /// A comment at its end doesn't count. Without it EC2 makes the key pair. To adopt a key pair
    /// that was made elsewhere, write its public key here.
    pub public_key: Option<Immutable<String>>,
    /// The algorithm of a key pair that EC2 makes; `rsa` when left out. Windows instances take
    /// only `rsa`.
    #[serde(rename = "type")]
    pub key_type: Option<Immutable<KeyType>>,
    /// How EC2 writes the private key that it makes: `pem` (when left out), or `ppk` for PuTTY.
    /// EC2 doesn't tell it later, so a change of it alone isn't seen.
    pub format: Option<Immutable<WriteOnly<KeyFormat>>>,
    /// Name of the secret for the private key that EC2 makes: a JSON object with `key_pair_id` and
    /// `private_key`. `NAME/private-key` when left out. Deleting the key pair deletes it too; it
    /// can be restored for 30 days.
    pub private_key_secret: Option<Immutable<String>>,
    /// Tags, merged over the stack's own; the secret has them too.
    #[serde(default)]
    pub tags: Tags,
    /// Whether the private key that EC2 made is in its secret. EC2 shows it only once, so when it
    /// is `lost` the key pair is made anew under the same name. Instances that run keep the old
    /// public key.
    #[serde(default)]
    pub private_key: Derived<PrivateKey>,
    /// Id of the key pair: `key-…`.
    #[serde(default)]
    pub id: Computed<String>,
    /// `arn:aws:ec2:region:account:key-pair/key-…`.
    #[serde(default)]
    pub arn: Computed<String>,
    /// The fingerprint, as EC2 works it out: SHA-256 for `ed25519`, SHA-1 for an `rsa` key that EC2
    /// made, MD5 for an imported `rsa` key.
    #[serde(default)]
    pub fingerprint: Computed<String>,
    /// ARN of the secret with the private key, when EC2 made the key pair.
    #[serde(default)]
    pub private_key_secret_arn: Computed<String>,
}

/// An algorithm that EC2 makes key pairs of.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyType {
    /// RSA with 2048 bits.
    Rsa,
    /// Ed25519; not for Windows instances.
    Ed25519,
}

/// A file format for private keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyFormat {
    /// For OpenSSH.
    #[default]
    Pem,
    /// For PuTTY.
    Ppk,
}

/// What has become of a private key that EC2 made.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PrivateKey {
    /// It is in its secret.
    Kept,
    /// It is nowhere that lagoa knows of.
    Lost,
}

/// Tag of the key pair: name of the secret with its private key.
const SECRET_TAG: &str = "lagoa:private-key-secret";

/// Tag of the secret: id of the key pair whose private key is in it.
const KEY_PAIR_TAG: &str = "lagoa:key-pair-id";

/// The secret for a private key that EC2 makes.
const SECRET: &[&str] = &["secretsmanager:{region}:{account}:secret:{private_key_secret}-??????"];

impl Kind for Ec2KeyPair {
    const EXAMPLE: &'static str = "
pair-test:
  kind: ec2_key_pair
  type: ed25519
  format: pem
  private_key_secret: emr/pair-test
  tags: { Projeto: Bootcamp }

laptop:
  kind: ec2_key_pair
  public_key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUTyz1HwHReFVvD5obVsALAgJRNarH4TRpNePnAS ana@laptop
";
    const NAME: &'static str = "^[!-~]([ -~]{0,253}[!-~])?$";
    const ACCESS: Access = Access {
        read: &[Grant::of(&["ec2:DescribeKeyPairs"], ANY), vault::reading(SECRET)],
        write: &[
            Grant::of(
                &["ec2:CreateKeyPair", "ec2:ImportKeyPair"],
                &["ec2:{region}:{account}:key-pair/*"],
            )
            .when(When::Marked),
            Grant::of(&["ec2:CreateTags"], &["ec2:{region}:{account}:key-pair/*"])
                .when(When::Made(&["CreateKeyPair", "ImportKeyPair"])),
            Grant::of(
                &["ec2:CreateTags", "ec2:DeleteKeyPair", "ec2:DeleteTags"],
                &["ec2:{region}:{account}:key-pair/*"],
            )
            .when(When::Owned),
            vault::keeping(SECRET),
            vault::FORMER,
        ],
        delete: &[
            Grant::of(&["ec2:DeleteKeyPair"], &["ec2:{region}:{account}:key-pair/*"])
                .when(When::Owned),
            vault::reading(SECRET),
            vault::destroying(SECRET),
        ],
        ..Access::NONE
    };

    async fn read(aws: &Aws, wanted: &[Wanted<Self>]) -> Result<Vec<Found<Self>>, Error> {
        let names: Vec<String> = wanted.iter().map(|one| one.name.clone()).collect();
        let pairs = aws.ec2.describe_key_pairs_by("key-name", &names).await?;
        // A `*` in a name finds others, too.
        let found = pairs.into_iter().filter_map(|pair| {
            let wanted = wanted.iter().find(|one| one.name == pair.key_name)?;
            Some(read_one(aws, pair, wanted.asks(|_| true)))
        });
        try_join_all(found).await
    }

    async fn owned(aws: &Aws) -> Result<Vec<String>, Error> {
        let ids = aws.swept("ec2", "key-pair/").await?;
        let pairs = aws.ec2.describe_key_pairs_by("key-pair-id", &ids).await?;
        Ok(pairs.into_iter().map(|pair| pair.key_name).collect())
    }

    async fn names(aws: &Aws) -> Result<Vec<String>, Error> {
        let pairs = aws.ec2.describe_key_pairs(&[]).await?;
        Ok(pairs.into_iter().map(|pair| pair.key_name).collect())
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<(), Error> {
        match &self.public_key {
            Some(public_key) => {
                cx.ec2.import_key_pair(cx.name, &canonical_key(public_key), &self.tags).await?;
                Ok(())
            }
            None => self.generate(cx).await,
        }
    }

    async fn update(&self, live: &Self, cx: &Cx<'_>) -> Result<(), Error> {
        let lost = *self.private_key == Some(PrivateKey::Kept)
            && *live.private_key != Some(PrivateKey::Kept);
        let rotate = self.public_key.is_none() && cx.rotate;
        if lost || rotate {
            cx.ec2.delete_key_pair(cx.name).await?;
            return self.generate(cx).await;
        }
        let (set, remove) = self.tags.change_from(&live.tags);
        if set.is_empty() && remove.is_empty() {
            return Ok(());
        }
        let id = live.id.iter().cloned().collect::<Vec<_>>();
        cx.ec2.create_tags(&id, &set).await?;
        cx.ec2.delete_tags(&id, &remove).await?;
        match live.tags.get(SECRET_TAG) {
            Some(secret) => vault::retag(cx, secret, self.holder(), &set, &remove).await,
            None => Ok(()),
        }
    }

    /// The secret goes first: a key pair that is left without one is seen and finished, a secret
    /// without a key pair would be nobody's.
    async fn delete(&self, _farewell: &Farewell, cx: &Cx<'_>) -> Result<(), Error> {
        if let Some(secret) = self.tags.get(SECRET_TAG) {
            vault::bury(cx, secret, self.holder()).await?;
        }
        Ok(cx.ec2.delete_key_pair(cx.name).await?)
    }

    fn accept(&mut self, live: &Self) {
        self.canonical_public_key();
        // EC2 doesn't know the text of keys that were imported before it learned to tell.
        if live.public_key.is_none() && live.private_key.is_none() {
            self.public_key = None;
        }
    }

    fn predict(&mut self, name: &str, _site: &Site, _root: &std::path::Path) {
        self.canonical_public_key();
        if self.public_key.is_none() {
            self.private_key = PrivateKey::Kept.into();
            self.private_key_secret.get_or_insert_with(|| Immutable(default_secret(name)));
        }
    }

    fn written(&mut self, _name: &str, _site: &Site) {
        if self.private_key_secret.is_some() {
            self.public_key = None;
        } else if self.public_key.is_some() {
            (self.key_type, self.format) = (None, None);
        }
    }

    fn check(&self, _root: &std::path::Path) -> Vec<(String, String)> {
        let mut wrong = Vec::new();
        let mut say = |path: &str, message: String| wrong.push((path.to_owned(), message));
        if let Some(public_key) = &self.public_key {
            let only_made = [
                ("type", self.key_type.is_some()),
                ("format", self.format.is_some()),
                ("private_key_secret", self.private_key_secret.is_some()),
            ];
            for (path, _) in only_made.into_iter().filter(|(_, given)| *given) {
                say(
                    path,
                    format!(
                        "`{path}` is for a key pair that EC2 makes: leave it out, or leave out `public_key`"
                    ),
                );
            }
            if let Some(why) = key_problem(public_key) {
                say("public_key", why);
            }
        }
        if let Some(secret) = self.private_key_secret.as_ref().filter(|name| !is_marked(name))
            && !is_secret_name(secret)
        {
            say(
                "private_key_secret",
                format!(
                    "`{}` is no name of a secret: at most 256 letters, digits and /_+=.@-",
                    **secret
                ),
            );
        }
        wrong
    }
}

impl Ec2KeyPair {
    fn holder(&self) -> Holder<'_> {
        Holder { kind: "ec2_key_pair", tags: &self.tags }
    }

    fn canonical_public_key(&mut self) {
        if let Some(public_key) = &mut self.public_key {
            public_key.0 = canonical_key(public_key);
        }
    }

    /// Lets EC2 make the key pair. The secret is made ready before and names the key pair after:
    /// if the run ends in between, the next one sees that the two don't belong together.
    async fn generate(&self, cx: &Cx<'_>) -> Result<(), Error> {
        let secret = match &self.private_key_secret {
            Some(secret) => secret.0.clone(),
            None => default_secret(cx.name),
        };
        let about = format!("Private key of the EC2 key pair {}", cx.name);
        vault::open(cx, &secret, &about, self.holder()).await?;
        let mut tags: BTreeMap<String, String> = self.tags.0.clone();
        tags.insert(SECRET_TAG.to_owned(), secret.clone());
        let pair =
            cx.ec2.create_key_pair(cx.name, self.api_type(), self.api_format(), &tags).await?;
        let value = json!({
            "key_pair_id": pair.key_pair_id,
            "private_key": pair.key_material.expose_secret(),
        });
        let value = SecretString::from(value.to_string());
        vault::put(cx, &secret, &value, &[(KEY_PAIR_TAG, &pair.key_pair_id)]).await.map(drop)
    }

    fn api_type(&self) -> ec2::KeyType {
        match self.key_type.as_ref().map(|key_type| key_type.0) {
            Some(KeyType::Ed25519) => ec2::KeyType::Ed25519,
            Some(KeyType::Rsa) | None => ec2::KeyType::Rsa,
        }
    }

    fn api_format(&self) -> ec2::KeyFormat {
        match self.format.as_ref().map(|format| format.0.0).unwrap_or_default() {
            KeyFormat::Pem => ec2::KeyFormat::Pem,
            KeyFormat::Ppk => ec2::KeyFormat::Ppk,
        }
    }
}

/// The key pair as EC2 has it. Its secret is looked at only when somebody wants to know.
async fn read_one(aws: &Aws, pair: ec2::KeyPair, asked: bool) -> Result<Found<Ec2KeyPair>, Error> {
    let name = pair.tags.get(SECRET_TAG).cloned();
    let secret = match &name {
        Some(name) if asked => vault::describe(aws, name).await?,
        _ => None,
    };
    let key_type = match pair.key_type.as_deref() {
        Some("rsa") => Some(Immutable(KeyType::Rsa)),
        Some("ed25519") => Some(Immutable(KeyType::Ed25519)),
        _ => None,
    };
    let kept = |secret: &vault::Secret| {
        secret.is_usable() && secret.tags.get(KEY_PAIR_TAG) == Some(&pair.key_pair_id)
    };
    let private_key = match &secret {
        Some(secret) if kept(secret) => PrivateKey::Kept,
        _ => PrivateKey::Lost,
    };
    let arn = aws.site.arn("ec2", &aws.site.region, &format!("key-pair/{}", pair.key_pair_id));
    let fields = Ec2KeyPair {
        public_key: pair.public_key.as_deref().map(|key| Immutable(canonical_key(key))),
        key_type,
        format: None,
        private_key: name.is_some().then_some(private_key).into(),
        private_key_secret: name.map(Immutable),
        tags: Tags(pair.tags),
        id: pair.key_pair_id.into(),
        arn: arn.into(),
        fingerprint: pair.key_fingerprint.into(),
        private_key_secret_arn: secret.map(|secret| secret.arn).into(),
    };
    Ok(Found { name: pair.key_name, fields })
}

/// The algorithm and the key, without the comment.
fn canonical_key(text: &str) -> String {
    if is_marked(text) {
        return text.to_owned();
    }
    text.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}

fn key_problem(text: &str) -> Option<String> {
    if is_marked(text) {
        return None;
    }
    if text.contains("PRIVATE KEY") {
        return Some(
            "this is a private key, which must not be here: write the public one, the `.pub` file"
                .to_owned(),
        );
    }
    let mut words = text.split_whitespace();
    let algorithm = words.next().filter(|word| ["ssh-rsa", "ssh-ed25519"].contains(word));
    let decodes = words.next().is_some_and(|key| {
        let bytes = BASE64.decode(key).unwrap_or_default();
        // A key says its algorithm once more inside, after four bytes of length.
        algorithm.is_some_and(|name| bytes.get(4..4 + name.len()) == Some(name.as_bytes()))
    });
    (!decodes).then(|| {
        "write the one line of an OpenSSH public key: `ssh-ed25519 AAAA…` or `ssh-rsa AAAA…`; \
         `ssh-keygen -i -m PKCS8 -f FILE` turns a PEM file into that"
            .to_owned()
    })
}

/// A secret's name takes fewer characters than a key pair's.
fn default_secret(name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || "/_+=.@-".contains(c);
    let name: String = name.chars().map(|c| if fits(c) { c } else { '-' }).collect();
    let room = 256 - "/private-key".len();
    format!("{}/private-key", &name[..name.len().min(room)])
}

/// The name must fit into a tag, too, which takes 256 characters.
fn is_secret_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "/_+=.@-".contains(c);
    (1..=256).contains(&name.len()) && name.chars().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUTyz1HwHReFVvD5obVsALAgJRNarH4TRpNePnAS";

    #[test]
    fn comments_and_spaces_do_not_make_another_key() {
        assert_eq!(canonical_key(&format!("  {}  ana@laptop home\n", KEY.replace(' ', "  "))), KEY);
    }

    #[test]
    fn only_openssh_public_keys_are_taken() {
        assert_eq!(key_problem(&format!("{KEY} ana")), None);
        for wrong in [
            "",
            "ssh-ed25519",
            "ssh-ed25519 AAAA",
            "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUTyz1HwHReFVvD5obVsALAgJRNarH4TRpNePnAS",
            "~/.ssh/id_ed25519.pub",
            "-----BEGIN PUBLIC KEY-----\nMIIB",
        ] {
            assert!(key_problem(wrong).is_some(), "{wrong}");
        }
        let private = key_problem("-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl");
        assert!(private.is_some_and(|why| why.contains("private key")));
    }

    #[test]
    fn every_key_pair_has_a_name_for_its_secret() {
        assert_eq!(default_secret("pair-test"), "pair-test/private-key");
        assert_eq!(default_secret("my pair"), "my-pair/private-key");
        assert!(is_secret_name(&default_secret(&"x".repeat(255))));
    }

    fn pair(fields: serde_json::Value) -> Ec2KeyPair {
        Ec2KeyPair::deserialize(fields).unwrap()
    }

    #[test]
    fn fields_of_a_made_key_are_not_for_an_imported_one() {
        let both = pair(json!({ "public_key": KEY, "type": "rsa", "format": "pem" }));
        let paths: Vec<_> = both.check("".as_ref()).into_iter().map(|(path, _)| path).collect();
        assert_eq!(paths, ["type", "format"]);
        assert!(pair(json!({ "public_key": KEY })).check("".as_ref()).is_empty());
        assert!(pair(json!({ "type": "ed25519" })).check("".as_ref()).is_empty());
    }
}
