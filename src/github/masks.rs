//! Every form in which a secret might come to stand in a log.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

/// What is shorter would blot out words that are no secret.
const SHORTEST: usize = 6;

/// What an address leaves as it is.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Parts of a name that tell a secret among the members of a JSON object.
const SECRET_NAMES: &[&str] = &["password", "secret", "token", "private_key", "passphrase"];

/// The forms of a secret that are to be masked, each on one line and none of them short.
pub fn forms(secret: &str) -> BTreeSet<String> {
    let mut forms = BTreeSet::new();
    if secret.trim().chars().count() < SHORTEST {
        return forms;
    }
    encoded(secret, &mut forms);
    let lines: Vec<&str> = secret.lines().map(str::trim).collect();
    if lines.len() > 1 {
        for line in lines {
            encoded(line, &mut forms);
        }
    }
    if let Ok(Value::Object(members)) = serde_json::from_str(secret) {
        for (name, value) in &members {
            let name = name.to_lowercase();
            let named = SECRET_NAMES.iter().any(|word| name.contains(word));
            if let (true, Some(text)) = (named, value.as_str()) {
                forms.extend(self::forms(text));
            }
        }
    }
    // A log is made of lines, so a form of several would never be met.
    let short = |form: &String| form.trim().chars().count() < SHORTEST;
    forms.retain(|form| !short(form) && !form.contains(['\n', '\r']));
    forms
}

fn encoded(secret: &str, forms: &mut BTreeSet<String>) {
    forms.insert(secret.to_owned());
    forms.extend(base64_forms(secret.as_bytes()));
    let address = utf8_percent_encode(secret, UNRESERVED).to_string();
    forms.insert(address.replace("%20", "+"));
    forms.insert(address);
    let json = Value::from(secret).to_string();
    forms.insert(json[1..json.len() - 1].to_owned());
    // What several shells, and `printf %q`, make of it.
    forms.insert(secret.replace('\'', r"'\''"));
    forms.insert(secret.replace('\'', r#"'"'"'"#));
    forms.insert(backslashed(secret, &['\\', '"', '$', '`']));
    let plain = |c: char| c.is_alphanumeric() || "-_./:@%+,=".contains(c);
    let odd: Vec<char> = secret.chars().filter(|c| !plain(*c)).collect();
    forms.insert(backslashed(secret, &odd));
}

fn backslashed(text: &str, odd: &[char]) -> String {
    let escaped =
        text.chars().flat_map(|c| odd.contains(&c).then_some('\\').into_iter().chain([c]));
    escaped.collect()
}

/// Base64 of the secret alone, and what is the same wherever it stands in a longer text, such as
/// `user:password`.
fn base64_forms(secret: &[u8]) -> Vec<String> {
    let mut forms = Vec::new();
    for shift in 0..3 {
        let mut text = vec![0; shift];
        text.extend_from_slice(secret);
        // The characters that bits of what stands before or behind are mixed into.
        let before = [0, 2, 3][shift];
        let behind = usize::from(!text.len().is_multiple_of(3));
        for engine in [STANDARD, URL_SAFE] {
            let encoded = engine.encode(&text);
            let bare = encoded.trim_end_matches('=');
            if shift == 0 {
                forms.extend([bare.to_owned(), encoded.clone()]);
            }
            forms.push(bare[before..bare.len() - behind].to_owned());
        }
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_known_in_every_dress() {
        let secret = "p&ss \"w'rd$1";
        let forms = forms(secret);
        for form in [
            secret,
            "p%26ss%20%22w%27rd%241",
            "p%26ss+%22w%27rd%241",
            r#"p&ss \"w'rd$1"#,
            r#"p&ss "w'\''rd$1"#,
            r#"p&ss \"w'rd\$1"#,
            r#"p\&ss\ \"w\'rd\$1"#,
            &STANDARD.encode(secret),
        ] {
            assert!(forms.contains(form), "{form} is not in {forms:?}");
        }
        // In a longer text, wherever it begins and ends.
        for before in ["", "u", "us", "user:"] {
            for after in ["", "x", "xy"] {
                let inside = STANDARD.encode(format!("{before}{secret}{after}"));
                assert!(forms.iter().any(|form| inside.contains(form.as_str())), "{inside}");
            }
        }
    }

    #[test]
    fn lines_and_members_are_secrets_themselves() {
        let key = "-----BEGIN KEY-----\nMIIEowIBAAKCAQEA\nx\n-----END KEY-----\n";
        let known = forms(key);
        assert!(known.contains("MIIEowIBAAKCAQEA"));
        assert!(known.iter().all(|form| !form.contains('\n') && form.chars().count() >= SHORTEST));
        let login = r#"{"username":"postgres","password":"correct-horse"}"#;
        assert!(forms(login).contains("correct-horse"));
        assert!(!forms(login).contains("postgres"));
    }

    #[test]
    fn what_is_short_blots_out_nothing() {
        for short in ["", " ", "a", "12345", "\n\n\n\n\n\n\n", "    abc    "] {
            assert!(forms(short).is_empty(), "{short:?}");
        }
    }
}
