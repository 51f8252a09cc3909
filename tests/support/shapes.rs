//! How each service says no: one table for every fault that a test throws.
//!
//! Which codes there are is lagoa's own table's business (`lagoa::aws::error`); here is only the
//! form that each service wraps them in, and which of the codes it says for "too many calls".
#![allow(dead_code, reason = "each test binary uses its part")]

use lagoa::aws::Class;
use lagoa::aws::error::class;

use super::proxy::Deed;

/// How a service writes its errors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Form {
    /// `<ErrorResponse>`: IAM, RDS, Redshift, STS.
    Query,
    /// `<Response><Errors>`: EC2.
    Ec2,
    /// `<Error>` alone: S3.
    S3,
    /// `{"__type": …}`.
    Json,
}

/// What a service says when it is called too often.
#[derive(Debug)]
pub struct Shape {
    /// As signatures name it.
    pub service: &'static str,
    pub form: Form,
    /// The status of what throttles.
    pub status: u16,
    /// The code of what throttles.
    pub throttles: &'static str,
}

/// One row for each service that lagoa speaks with.
const SHAPES: &[Shape] = &[
    shape("iam", Form::Query, 400, "Throttling"),
    shape("rds", Form::Query, 400, "Throttling"),
    shape("redshift", Form::Query, 400, "Throttling"),
    shape("sts", Form::Query, 400, "Throttling"),
    shape("ec2", Form::Ec2, 503, "RequestLimitExceeded"),
    shape("s3", Form::S3, 503, "SlowDown"),
    shape("dms", Form::Json, 400, "ThrottlingException"),
    shape("eks", Form::Json, 429, "TooManyRequestsException"),
    shape("elasticmapreduce", Form::Json, 400, "ThrottlingException"),
    shape("emr-serverless", Form::Json, 429, "ThrottlingException"),
    shape("kms", Form::Json, 400, "ThrottlingException"),
    shape("logs", Form::Json, 400, "ThrottlingException"),
    shape("redshift-data", Form::Json, 400, "ThrottlingException"),
    shape("redshift-serverless", Form::Json, 400, "ThrottlingException"),
    shape("secretsmanager", Form::Json, 400, "ThrottlingException"),
    shape("ssm", Form::Json, 400, "ThrottlingException"),
    shape("tagging", Form::Json, 400, "ThrottledException"),
];

const fn shape(service: &'static str, form: Form, status: u16, throttles: &'static str) -> Shape {
    Shape { service, form, status, throttles }
}

/// The row of a service.
pub fn of(service: &str) -> &'static Shape {
    let row = SHAPES.iter().find(|shape| shape.service == service);
    row.unwrap_or_else(|| panic!("tests/support/shapes.rs needs a row for {service}"))
}

/// All rows.
pub fn all() -> &'static [Shape] {
    for shape in SHAPES {
        let known = class(shape.throttles, "", Some(400));
        assert_eq!(known, Class::Throttled, "lagoa's table has {}", shape.throttles);
    }
    SHAPES
}

impl Shape {
    /// "Too many calls", in the service's own words.
    pub fn throttled(&self) -> Deed {
        self.error(self.status, self.throttles, "Rate exceeded")
    }

    /// An error of this code, in the service's form.
    pub fn error(&self, status: u16, code: &str, message: &str) -> Deed {
        let body = match self.form {
            Form::Query => format!(
                "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code>\
                 <Message>{message}</Message></Error><RequestId>test-request</RequestId></ErrorResponse>"
            ),
            Form::Ec2 => format!(
                "<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error>\
                 </Errors><RequestID>test-request</RequestID></Response>"
            ),
            Form::S3 => format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>"),
            Form::Json => serde_json::json!({ "__type": code, "message": message }).to_string(),
        };
        Deed::Answer(status, body)
    }
}
