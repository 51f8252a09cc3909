//! The words of an endpoint as DMS has them.

use aws_sdk_databasemigration::types::{DmsSslModeValue, ReplicationEndpointTypeValue};
use serde::de::DeserializeOwned;

use super::{EndpointType, SslMode};
use crate::aws::words::{self, word};

/// The value that a word of AWS's stands for, in whichever case.
pub fn parse<T: DeserializeOwned>(said: &str) -> Option<T> {
    words::parse(&said.to_lowercase())
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
