//! A value that is made up.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::aws::Error;
use crate::kind::Cx;

/// How a random value is made up; by Secrets Manager itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Generate {
    /// Number of characters, 1 to 4096. Default 32.
    #[schemars(range(min = 1, max = 4096))]
    pub length: u16,
    /// Characters that must not appear, such as `"@/\` for a database password.
    pub exclude_characters: String,
    /// No lower-case letters. Default false.
    pub exclude_lowercase: bool,
    /// No upper-case letters. Default false.
    pub exclude_uppercase: bool,
    /// No digits. Default false.
    pub exclude_numbers: bool,
    /// No punctuation. Default false.
    pub exclude_punctuation: bool,
    /// Spaces may appear. Default false.
    pub include_space: bool,
    /// At least one character of every type that isn't excluded. Default true.
    pub require_each_included_type: bool,
    /// Makes the secret a JSON object of these members and, under `key`, the random value.
    pub template: Option<BTreeMap<String, String>>,
    /// The member of the JSON object that holds the random value. Default `password`.
    pub key: Option<String>,
}

impl Default for Generate {
    fn default() -> Self {
        Self {
            length: 32,
            exclude_characters: String::new(),
            exclude_lowercase: false,
            exclude_uppercase: false,
            exclude_numbers: false,
            exclude_punctuation: false,
            include_space: false,
            require_each_included_type: true,
            template: None,
            key: None,
        }
    }
}

impl Generate {
    /// The member that holds the random value.
    pub fn key(&self) -> &str {
        self.key.as_deref().unwrap_or("password")
    }

    /// The secret's text: the random value alone, or inside the JSON object of the template.
    fn text(&self, random: &str) -> String {
        let Some(template) = &self.template else { return random.to_owned() };
        let mut members = template.clone();
        members.insert(self.key().to_owned(), random.to_owned());
        serde_json::json!(members).to_string()
    }

    /// A new value, made up by Secrets Manager.
    pub async fn value(&self, cx: &Cx<'_>) -> Result<SecretString, Error> {
        let call = cx.secrets.get_random_password().password_length(self.length.into());
        let excluded = Some(&self.exclude_characters).filter(|excluded| !excluded.is_empty());
        let call = call
            .set_exclude_characters(excluded.cloned())
            .exclude_lowercase(self.exclude_lowercase)
            .exclude_uppercase(self.exclude_uppercase)
            .exclude_numbers(self.exclude_numbers)
            .exclude_punctuation(self.exclude_punctuation)
            .include_space(self.include_space)
            .require_each_included_type(self.require_each_included_type);
        let reply = call.send().await?;
        let random = reply.random_password().unwrap_or_default();
        let value = SecretString::from(self.text(random));
        cx.heard(&value);
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_holds_the_random_value() {
        let template = BTreeMap::from([("username".to_owned(), "coins".to_owned())]);
        let generate = Generate { template: Some(template), ..Generate::default() };
        assert_eq!(generate.text("x\"y"), r#"{"password":"x\"y","username":"coins"}"#);
        assert_eq!(Generate::default().text("xy"), "xy");
    }
}
