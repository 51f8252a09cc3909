//! The words of AWS's own enums, to and from the enums of a kind's fields.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// AWS's own word for a value of an enum.
pub fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        _ => String::new(),
    }
}

/// The value that a word of AWS's stands for, if the kind knows it.
pub fn parse<T: DeserializeOwned>(word: &str) -> Option<T> {
    serde_json::from_value(Value::String(word.to_owned())).ok()
}
