//! Secrets and parameters.

use super::{Check, Severity, Spot, Subject};

pub const CHECKS: &[Check] = &[
    Check {
        id: "SM-KMS",
        severity: Severity::Low,
        kinds: &["secretsmanager_secret"],
        requires: "A secret is encrypted with a key of your own",
        remedy: "write `kms_key: KEY` with a `kms_key` of the stack",
        checkov: &["CKV_AWS_149", "CKV2_AWS_57"],
        fsbp: &["SecretsManager.1"],
        find: own_key,
    },
    Check {
        id: "SSM-SECRET",
        severity: Severity::High,
        kinds: &["ssm_parameter"],
        requires: "What is called a secret is kept as one",
        remedy: "write `type: SecureString` and `secret: ${env.NAME}` instead of `value`",
        checkov: &["CKV_AWS_384", "CKV_AWS_337"],
        fsbp: &[],
        find: called_a_secret,
    },
];

fn own_key(secret: &Subject<'_>) -> Vec<Spot> {
    let message = "who may decrypt is AWS's to say: the key is AWS's own";
    Spot::when(secret.left_out("kms_key"), "kms_key", message)
}

const WORDS: &[&str] =
    &["password", "passwd", "secret", "token", "api_key", "apikey", "private_key"];

fn called_a_secret(parameter: &Subject<'_>) -> Vec<Spot> {
    let name = parameter.key.to_lowercase().replace('-', "_");
    let secret = WORDS.iter().any(|word| name.contains(word));
    let clear = parameter.text("type") != Some("SecureString");
    let message =
        "this is called a secret, and everybody who reads the stack or the parameter sees it";
    Spot::when(secret && clear, "value", message)
}
