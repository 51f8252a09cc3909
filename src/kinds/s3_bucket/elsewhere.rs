//! Names that are taken: a bucket's name is its own among all accounts and regions.

use aws_sdk_s3::error::SdkError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use crate::aws::{Class, Error};

/// The region that S3 names in its refusals.
pub fn region_of<E>(error: &SdkError<E, HttpResponse>) -> Option<String> {
    error.raw_response()?.headers().get("x-amz-bucket-region").map(str::to_owned)
}

/// Bucket names are shared by all accounts and regions, so a name may be taken elsewhere.
pub fn explained(error: Error, name: &str, here: &str, region: Option<&str>) -> Error {
    let moved = matches!(
        error.code.as_str(),
        "PermanentRedirect" | "TemporaryRedirect" | "AuthorizationHeaderMalformed" | "301" | "307"
    );
    let region = region.filter(|region| *region != here);
    if moved || region.is_some() {
        let lies = region.map_or("another region".to_owned(), str::to_owned);
        let message = format!("the bucket {name} exists in {lies}, not in {here}");
        let hint = "a bucket can't move: name its region in the stack, or give it another name";
        return Error { class: Class::Terminal, message, ..error }.hint(hint);
    }
    if error.code == "AccessDenied" || error.code == "403" {
        return error.hint(format!(
            "bucket names are shared by all of AWS: {name} may belong to another account, or your \
             credentials lack s3:GetBucketTagging"
        ));
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_elsewhere_is_explained() {
        let redirect =
            Error { code: "PermanentRedirect".into(), ..Error::new(Class::Terminal, "x") };
        let error = explained(redirect.clone(), "raw", "sa-east-1", Some("eu-west-1"));
        assert_eq!(error.message, "the bucket raw exists in eu-west-1, not in sa-east-1");
        assert!(explained(redirect, "raw", "sa-east-1", None).message.contains("another region"));
        let denied = Error { code: "AccessDenied".into(), ..Error::new(Class::Terminal, "x") };
        let error = explained(denied, "raw", "sa-east-1", Some("sa-east-1"));
        assert!(error.message == "x" && error.hint.is_some());
    }
}
