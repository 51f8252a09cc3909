//! What AWS said, and what class of trouble it is.

use std::fmt;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::error::operation::BuildError;
use aws_types::request_id::RequestId;

/// What kind of trouble an error is, and so what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Too many calls: wait and call again.
    Throttled,
    /// A passing fault of the network or the service: call again.
    Transient,
    /// Something that this run made isn't visible to the service yet: wait up to two minutes.
    Propagating,
    /// The resource is doing something else: wait until it is stable.
    Busy,
    /// Something else still uses the resource: wait, then name it.
    Dependency,
    /// There is one of that name: read it, and go on if it is ours.
    Already,
    /// There is none of that name.
    Gone,
    /// Calling again won't help.
    Terminal,
}

/// Codes whose class doesn't depend on the message. The retries, the messages and the tests all go
/// by this table and the next.
pub const BY_CODE: &[(&str, Class)] = &[
    ("Throttling", Class::Throttled),
    ("ThrottlingException", Class::Throttled),
    ("ThrottledException", Class::Throttled),
    ("RequestThrottled", Class::Throttled),
    ("RequestThrottledException", Class::Throttled),
    ("TooManyRequestsException", Class::Throttled),
    ("RequestLimitExceeded", Class::Throttled),
    ("EC2ThrottledException", Class::Throttled),
    ("ProvisionedThroughputExceededException", Class::Throttled),
    ("SlowDown", Class::Throttled),
    ("BandwidthLimitExceeded", Class::Throttled),
    ("PriorRequestNotComplete", Class::Throttled),
    ("DependentServiceRequestThrottling", Class::Throttled),
    ("DependentServiceRequestThrottlingFault", Class::Throttled),
    ("ActiveStatementsExceededException", Class::Throttled),
    ("ActiveSessionsExceededException", Class::Throttled),
    ("TooManyUpdates", Class::Throttled),
    ("RequestTimeout", Class::Transient),
    ("RequestTimeoutException", Class::Transient),
    ("InternalFailure", Class::Transient),
    ("InternalError", Class::Transient),
    ("InternalServiceError", Class::Transient),
    ("InternalServerError", Class::Transient),
    ("ServiceFailure", Class::Transient),
    ("DependencyTimeoutException", Class::Transient),
    ("KMSInternalException", Class::Transient),
    ("ServiceUnavailable", Class::Transient),
    ("Unavailable", Class::Transient),
    // A KMS key that was made a moment ago isn't known to every service.
    ("InvalidKeyId", Class::Propagating),
    ("KMSKeyNotAccessibleFault", Class::Propagating),
    ("InvalidDBInstanceState", Class::Busy),
    ("InvalidDBInstanceStateFault", Class::Busy),
    ("InvalidDBClusterStateFault", Class::Busy),
    ("InvalidDBClusterSnapshotStateFault", Class::Busy),
    ("InvalidResourceStateFault", Class::Busy),
    ("InvalidClusterState", Class::Busy),
    ("InvalidClusterStateFault", Class::Busy),
    ("ResourceInUseException", Class::Busy),
    ("ConcurrentModification", Class::Busy),
    ("ConcurrentModificationException", Class::Busy),
    ("KMSInvalidStateException", Class::Busy),
    ("OperationAborted", Class::Busy),
    ("ConflictException", Class::Busy),
    ("OperationAbortedException", Class::Busy),
    ("ConditionalRequestConflict", Class::Busy),
    ("EntityTemporarilyUnmodifiable", Class::Busy),
    ("IncorrectState", Class::Busy),
    ("DependencyViolation", Class::Dependency),
    ("InvalidGroup.InUse", Class::Dependency),
    ("InvalidIPAddress.InUse", Class::Dependency),
    ("InvalidClusterSubnetGroupStateFault", Class::Dependency),
    ("InvalidClusterParameterGroupState", Class::Dependency),
    ("InvalidClusterParameterGroupStateFault", Class::Dependency),
    ("DeleteConflict", Class::Dependency),
    ("InvalidDBSubnetGroupStateFault", Class::Dependency),
    ("InvalidDBParameterGroupState", Class::Dependency),
    ("InvalidDBParameterGroupStateFault", Class::Dependency),
    ("EntityAlreadyExists", Class::Already),
    ("BucketAlreadyOwnedByYou", Class::Already),
    ("BucketAlreadyExists", Class::Already),
    ("ResourceExistsException", Class::Already),
    ("InvalidGroup.Duplicate", Class::Already),
    ("InvalidKeyPair.Duplicate", Class::Already),
    ("BucketNotEmpty", Class::Terminal),
    ("InvalidPermission.Duplicate", Class::Already),
    ("ParameterAlreadyExists", Class::Already),
    ("RouteAlreadyExists", Class::Already),
    ("Resource.AlreadyAssociated", Class::Already),
    ("Gateway.NotAttached", Class::Gone),
    ("NoSuchEntity", Class::Gone),
    ("NoSuchBucket", Class::Gone),
    ("NoSuchKey", Class::Gone),
    ("NotFound", Class::Gone),
    ("404", Class::Gone),
    ("InvalidResourceId", Class::Gone),
];

/// Codes that mean something only together with a part of the message.
pub const BY_MESSAGE: &[(&str, &str, Class)] = &[
    ("MalformedPolicyDocument", "principal", Class::Propagating),
    ("MalformedPolicy", "principal", Class::Propagating),
    ("MalformedPolicyDocumentException", "principal", Class::Propagating),
    ("InvalidArgument", "validate the following destination", Class::Propagating),
    ("InvalidParameterValue", "IAM role ARN value is invalid", Class::Propagating),
    ("InvalidParameterValue", "ENHANCED_MONITORING", Class::Propagating),
    ("InvalidParameterValue", "S3_SNAPSHOT_INGESTION", Class::Propagating),
    ("InvalidRequestException", "scheduled for deletion", Class::Busy),
    ("InvalidRequestException", "was deleted", Class::Busy),
    ("InvalidParameterValue", "service linked role", Class::Propagating),
    ("ConflictException", "already exists", Class::Already),
    ("AccessDeniedFault", "", Class::Propagating),
    // EKS has one code for a name that is taken, for what is busy, and for what is still used.
    ("ResourceInUseException", "already exists", Class::Already),
    ("ResourceInUseException", "already in use on this cluster", Class::Already),
    ("ResourceInUseException", "attached", Class::Dependency),
    ("InvalidRequestException", "update in progress", Class::Busy),
    ("InvalidRequestException", "is not in ACTIVE status", Class::Busy),
    ("InvalidRequestException", "currently has update", Class::Busy),
    ("InvalidParameterException", "No changes needed", Class::Already),
    ("InvalidParameterException", "already at the desired configuration", Class::Already),
    ("InvalidRequestException", "already at the desired configuration", Class::Already),
    ("InvalidParameterException", "Role with arn", Class::Propagating),
    ("InvalidParameterException", "trusted entity is not correct", Class::Propagating),
    ("ValidationException", "Invalid InstanceProfile", Class::Propagating),
    ("AccessDeniedException", "Failed to authorize instance profile", Class::Propagating),
    // EMR has one code for all that it can't do.
    ("InvalidRequestException", "is not valid", Class::Gone),
    ("InvalidRequestException", "does not exist", Class::Gone),
    ("InvalidRequestException", "already exists", Class::Already),
    ("InvalidRequestException", "in use", Class::Dependency),
    ("InvalidParameterException", "Error in role params", Class::Propagating),
    ("InvalidParameterException", "KMS key does not exist or is not allowed", Class::Propagating),
    ("InvalidParameterException", "Role could not be assumed", Class::Propagating),
    (
        "InvalidParameterException",
        "doesn't have the Amazon EKS Managed Policies",
        Class::Propagating,
    ),
    ("InvalidParameterException", "policy must include", Class::Propagating),
    ("InvalidParameterException", "principalArn is invalid", Class::Propagating),
    ("InvalidRequestException", "principalArn is invalid", Class::Propagating),
    // EKS doesn't see every role, subnet and group at once.
    ("InvalidParameterException", "does not exist", Class::Propagating),
];

/// Classes of codes by their form, for the services' many spellings.
fn by_form(code: &str) -> Option<Class> {
    let plain = code.trim_end_matches("Fault").trim_end_matches("Exception");
    if plain.ends_with("AlreadyExists") {
        return Some(Class::Already);
    }
    if plain.ends_with("NotFound") || plain.ends_with("NotFoundError") {
        return Some(Class::Gone);
    }
    plain.starts_with("NoSuch").then_some(Class::Gone)
}

/// The class of an error, from the service's code, its message and the HTTP status.
pub fn class(code: &str, message: &str, status: Option<u16>) -> Class {
    let by_message = BY_MESSAGE.iter().find(|(c, part, _)| *c == code && message.contains(part));
    if let Some((_, _, class)) = by_message {
        return *class;
    }
    if let Some((_, class)) = BY_CODE.iter().find(|(c, _)| *c == code) {
        return *class;
    }
    by_form(code).unwrap_or(match status {
        Some(429) => Class::Throttled,
        Some(500 | 502 | 503 | 504) => Class::Transient,
        _ => Class::Terminal,
    })
}

/// Whether a refusal, as it came over the wire, says that there were too many calls.
pub fn says_throttled(status: u16, body: &str) -> bool {
    let throttles = BY_CODE.iter().filter(|(_, class)| *class == Class::Throttled);
    let mut words = body.split(|letter: char| !letter.is_ascii_alphanumeric());
    status == 429 || words.any(|word| throttles.clone().any(|(code, _)| *code == word))
}

/// An error as AWS (or the way to it) gave it.
#[derive(Clone, Debug, PartialEq)]
pub struct Error {
    /// What to do about it.
    pub class: Class,
    /// The service's code, such as `AccessDenied`; empty when the call never got an answer.
    pub code: String,
    /// The service's words.
    pub message: String,
    /// For AWS's support.
    pub request_id: Option<String>,
    /// What to do, when lagoa knows.
    pub hint: Option<String>,
}

impl Error {
    /// An error of the given class in our own words.
    pub fn new(class: Class, message: impl Into<String>) -> Self {
        Self { class, code: String::new(), message: message.into(), request_id: None, hint: None }
    }

    /// Something that no input should bring about.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Class::Terminal, format!("internal error: {}", message.into()))
    }

    /// Adds what the person should do.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Names the operation that can't be had now, unless something better is known.
    fn of<E>(self) -> Self {
        match operation::<E>().filter(|_| self.is_outage() && self.hint.is_none()) {
            Some(call) => self.hint(format!("{call} is what AWS doesn't do now: try again later")),
            None => self,
        }
    }

    /// Whether it is the service that is in trouble, and not what it was asked for.
    pub fn is_outage(&self) -> bool {
        matches!(self.class, Class::Throttled | Class::Transient)
    }

    /// Whether the error means that there is no such thing.
    pub fn is_gone(&self) -> bool {
        self.class == Class::Gone
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code.as_str(), self.message.as_str()) {
            ("", message) => f.write_str(message),
            (code, "") => f.write_str(code),
            (code, message) => write!(f, "{code}: {message}"),
        }
    }
}

impl std::error::Error for Error {}

impl<E> From<SdkError<E, HttpResponse>> for Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    fn from(error: SdkError<E, HttpResponse>) -> Self {
        // What kept the call from being signed or sent has been said in our own words.
        if let Some(own) = causes(&error).find_map(|cause| cause.downcast_ref::<Self>()) {
            return own.clone().of::<E>();
        }
        let status = error.raw_response().map(|response| response.status().as_u16());
        let request_id = error.request_id().map(str::to_owned);
        let told = match &error {
            SdkError::ServiceError(service) => {
                let code = service.err().code().map(str::to_owned);
                let code = code.or(status.map(|status| status.to_string())).unwrap_or_default();
                let message = match service.err().message() {
                    Some(message) => message.to_owned(),
                    // A success that can't be read: say what was wrong with it.
                    None if status.is_some_and(|status| status < 300) => chain(service.err()),
                    None => String::new(),
                };
                let class = class(&code, &message, status);
                Self { class, code, message, request_id, hint: None }
            }
            SdkError::DispatchFailure(_) | SdkError::TimeoutError(_) => {
                let message = format!("no answer from AWS: {}", chain(&error));
                Self { request_id, ..Self::new(Class::Transient, message) }
            }
            _ => {
                let message = chain(&error);
                let class = class("", "", status);
                Self { request_id, ..Self::new(class, message) }
            }
        };
        told.of::<E>()
    }
}

/// The service and operation that an error of the SDK's is of: `rds:CreateDBInstance`. The SDK
/// says it nowhere but in the name of the error's type.
fn operation<E>() -> Option<String> {
    let path = std::any::type_name::<E>();
    let service = path.strip_prefix("aws_sdk_")?.split("::").next()?;
    let operation = path.rsplit("::").next()?.strip_suffix("Error")?;
    Some(format!("{service}:{operation}"))
}

/// An error and its causes.
pub(super) fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source())
}

/// What an error and its causes say, without the dump of the whole reply that the SDK offers.
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut words: Vec<String> = causes(error).map(ToString::to_string).collect();
    words.dedup();
    words.join(": ")
}

impl From<BuildError> for Error {
    fn from(error: BuildError) -> Self {
        Self::internal(error.to_string())
    }
}

/// `None` instead of an error when there is no such thing.
pub fn absent<T, E: Into<Error>>(result: Result<T, E>) -> Result<Option<T>, Error> {
    match result.map_err(Into::into) {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_gone() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Nothing to do when the thing to delete is gone already.
pub fn gone_is_fine<T, E: Into<Error>>(result: Result<T, E>) -> Result<(), Error> {
    absent(result).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_fall_into_their_classes() {
        for (code, message, expected) in [
            ("DBInstanceNotFound", "", Class::Gone),
            ("DBSubnetGroupNotFoundFault", "", Class::Gone),
            ("NoSuchTagSet", "", Class::Gone),
            ("ServerSideEncryptionConfigurationNotFoundError", "", Class::Gone),
            ("InvalidGroup.NotFound", "", Class::Gone),
            ("InvalidPermission.NotFound", "", Class::Gone),
            ("InvalidSecurityGroupRuleId.NotFound", "", Class::Gone),
            ("InvalidKeyPair.NotFound", "", Class::Gone),
            ("InvalidGroup.Duplicate", "", Class::Already),
            ("InvalidKeyPair.Duplicate", "", Class::Already),
            ("InvalidPermission.Duplicate", "", Class::Already),
            ("DependencyViolation", "", Class::Dependency),
            ("RulesPerSecurityGroupLimitExceeded", "", Class::Terminal),
            ("ResourceNotFoundException", "", Class::Gone),
            ("DBInstanceAlreadyExists", "", Class::Already),
            ("MalformedPolicyDocument", "Invalid principal in policy", Class::Propagating),
            ("MalformedPolicyDocument", "Syntax errors in policy.", Class::Terminal),
            ("LimitExceededException", "", Class::Terminal),
            ("AccessDenied", "", Class::Terminal),
            ("BucketNotEmpty", "", Class::Terminal),
            ("InvalidRequestException", "Cluster id 'j-1' is not valid.", Class::Gone),
            (
                "InvalidRequestException",
                "Security configuration with name 'a' does not exist.",
                Class::Gone,
            ),
            ("InvalidRequestException", "Cluster id 'j-1' is terminated.", Class::Terminal),
            ("ResourceInUseException", "Cluster already exists with name: a", Class::Already),
            ("ResourceInUseException", "Cluster has nodegroups attached", Class::Dependency),
            ("ResourceInUseException", "Cluster is busy", Class::Busy),
            (
                "InvalidParameterException",
                "Role provided in the request does not exist.",
                Class::Propagating,
            ),
            (
                "InvalidParameterException",
                "The subnet ID 'subnet-1' does not exist",
                Class::Propagating,
            ),
            ("InvalidParameterException", "Addon specified is not supported", Class::Terminal),
            ("NoSuchLifecycleConfiguration", "", Class::Gone),
            ("NoSuchCORSConfiguration", "", Class::Gone),
            ("NoSuchBucketPolicy", "", Class::Gone),
            ("ObjectLockConfigurationNotFoundError", "", Class::Gone),
            ("OwnershipControlsNotFoundError", "", Class::Gone),
        ] {
            assert_eq!(class(code, message, Some(400)), expected, "{code} {message}");
        }
    }

    #[test]
    fn every_protocol_says_throttled_in_its_way() {
        assert!(says_throttled(429, ""));
        assert!(says_throttled(503, "<Error><Code>SlowDown</Code></Error>"));
        assert!(says_throttled(400, r#"{"__type":"com.amazonaws#ThrottlingException"}"#));
        assert!(!says_throttled(503, "<Code>ServiceUnavailable</Code>"));
        assert!(!says_throttled(400, r#"{"__type":"ValidationException","message":"Throttle"}"#));
    }

    #[test]
    fn an_error_knows_its_operation() {
        use aws_sdk_rds::operation::create_db_instance::CreateDBInstanceError;
        assert_eq!(operation::<CreateDBInstanceError>().as_deref(), Some("rds:CreateDBInstance"));
        assert_eq!(operation::<BuildError>(), None);
    }

    #[test]
    fn an_unknown_code_goes_by_its_status() {
        assert_eq!(class("Odd", "", Some(503)), Class::Transient);
        assert_eq!(class("Odd", "", Some(429)), Class::Throttled);
        assert_eq!(class("Odd", "", Some(400)), Class::Terminal);
    }
}
