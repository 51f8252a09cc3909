//! The words of an endpoint as DMS has them.

use aws_sdk_databasemigration::types::{DmsSslModeValue, ReplicationEndpointTypeValue};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{EndpointType, SslMode};

/// AWS's own word for a value of an enum.
pub fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        _ => String::new(),
    }
}

/// The value that a word of AWS's stands for.
pub fn parse<T: DeserializeOwned>(word: &str) -> Option<T> {
    serde_json::from_value(Value::String(word.to_lowercase())).ok()
}

impl EndpointType {
    pub(super) fn to_aws(self) -> ReplicationEndpointTypeValue {
        match self {
            Self::Source => ReplicationEndpointTypeValue::Source,
            Self::Target => ReplicationEndpointTypeValue::Target,
        }
    }
}

impl SslMode {
    pub(super) fn to_aws(self) -> DmsSslModeValue {
        DmsSslModeValue::from(word(&self).as_str())
    }
}
