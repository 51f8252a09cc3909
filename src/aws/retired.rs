//! Values that AWS once took and now refuses.
//!
//! The facts come from AWS's own release notes and support calendars, which each group of rows
//! names; a row is added when its day has passed. There is no clock in it: whether a stack is right
//! doesn't depend on the day it is read.

struct Row {
    /// The kind and its field: `dms_replication_instance.engine_version`.
    of: &'static str,
    /// The value; a `*` at the end stands for any rest.
    value: &'static str,
    /// The day from which AWS refuses it for new resources, at the latest.
    since: &'static str,
    /// What to write instead.
    remedy: &'static str,
}

const fn row(
    of: &'static str,
    value: &'static str,
    since: &'static str,
    remedy: &'static str,
) -> Row {
    Row { of, value, since, remedy }
}

const DMS_ENGINE: &str = "dms_replication_instance.engine_version";
const DMS_ENGINE_NOW: &str = "write 3.5.4 or later, or leave it out for AWS's default version";

const EKS: &str = "eks_cluster.version";
const EKS_NOW: &str = "write a version that `aws eks describe-cluster-versions` lists";

const ROWS: &[Row] = &[
    // Amazon EKS Kubernetes release calendar, "End of extended support".
    row(EKS, "1.1*", "2022-08-01", EKS_NOW),
    row(EKS, "1.20", "2022-11-01", EKS_NOW),
    row(EKS, "1.21", "2024-07-15", EKS_NOW),
    row(EKS, "1.22", "2024-09-01", EKS_NOW),
    row(EKS, "1.23", "2024-10-11", EKS_NOW),
    row(EKS, "1.24", "2025-01-31", EKS_NOW),
    row(EKS, "1.25", "2025-05-01", EKS_NOW),
    row(EKS, "1.26", "2025-06-11", EKS_NOW),
    row(EKS, "1.27", "2025-07-24", EKS_NOW),
    row(EKS, "1.28", "2025-11-26", EKS_NOW),
    row(EKS, "1.29", "2026-03-23", EKS_NOW),
    row(EKS, "1.30", "2026-07-23", EKS_NOW),
    // AWS DMS release notes, "No new instance date".
    row(DMS_ENGINE, "2.*", "2024-09-30", DMS_ENGINE_NOW),
    row(DMS_ENGINE, "3.1.*", "2024-09-30", DMS_ENGINE_NOW),
    row(DMS_ENGINE, "3.3.*", "2024-09-30", DMS_ENGINE_NOW),
    row(DMS_ENGINE, "3.4.*", "2024-09-30", DMS_ENGINE_NOW),
    row(DMS_ENGINE, "3.5.1", "2024-11-30", DMS_ENGINE_NOW),
    row(DMS_ENGINE, "3.5.2", "2025-03-30", DMS_ENGINE_NOW),
    row(DMS_ENGINE, "3.5.3", "2026-02-28", DMS_ENGINE_NOW),
    row(DMS_ENGINE, "3.6.0", "2026-04-27", DMS_ENGINE_NOW),
];

const EMR_RELEASE: &str = "emr_cluster.release_label";
const EMR_SERVERLESS_RELEASE: &str = "emr_serverless_application.release_label";
const EMR_RELEASE_NOW: &str = "write emr-7.9.0 or later";

/// What AWS still takes, but no longer mends; `since` is the end of standard support, at the latest.
const UNSUPPORTED: &[Row] = &[
    // EMR release guide: standard support ends 24 months after a release; 6.15.0 came on 2023-11-17,
    // 7.3.0 on 2024-10-16.
    row(EMR_RELEASE, "emr-4.*", "2025-11-17", EMR_RELEASE_NOW),
    row(EMR_RELEASE, "emr-5.1*", "2025-11-17", EMR_RELEASE_NOW),
    row(EMR_RELEASE, "emr-5.2*", "2025-11-17", EMR_RELEASE_NOW),
    row(EMR_RELEASE, "emr-6.*", "2025-11-17", EMR_RELEASE_NOW),
    row(EMR_RELEASE, "emr-7.0.*", "2026-10-16", EMR_RELEASE_NOW),
    row(EMR_RELEASE, "emr-7.1.*", "2026-10-16", EMR_RELEASE_NOW),
    row(EMR_RELEASE, "emr-7.2.*", "2026-10-16", EMR_RELEASE_NOW),
    row(EMR_RELEASE, "emr-7.3.*", "2026-10-16", EMR_RELEASE_NOW),
    row(EMR_SERVERLESS_RELEASE, "emr-6.*", "2025-11-17", EMR_RELEASE_NOW),
    row(EMR_SERVERLESS_RELEASE, "emr-7.0.*", "2026-10-16", EMR_RELEASE_NOW),
    row(EMR_SERVERLESS_RELEASE, "emr-7.1.*", "2026-10-16", EMR_RELEASE_NOW),
    row(EMR_SERVERLESS_RELEASE, "emr-7.2.*", "2026-10-16", EMR_RELEASE_NOW),
    row(EMR_SERVERLESS_RELEASE, "emr-7.3.*", "2026-10-16", EMR_RELEASE_NOW),
];

fn find(rows: &'static [Row], of: &str, value: &str) -> Option<&'static Row> {
    let means = |pattern: &str| match pattern.strip_suffix('*') {
        Some(start) => value.starts_with(start),
        None => value == pattern,
    };
    rows.iter().find(|row| row.of == of && means(row.value))
}

/// Why this value for this `kind.field` is a bad choice though AWS takes it; `None` when it isn't.
pub fn unsupported(of: &str, value: &str) -> Option<String> {
    let row = find(UNSUPPORTED, of, value)?;
    Some(format!("AWS no longer mends {value}, since {} at the latest: {}", row.since, row.remedy))
}

/// Why AWS no longer takes this value for this `kind.field`, with the remedy; `None` when it may.
pub fn retired(of: &str, value: &str) -> Option<String> {
    let row = find(ROWS, of, value)?;
    Some(format!("AWS has made nothing new with {value} since {}: {}", row.since, row.remedy))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_retired_says_since_when_and_what_to_do() {
        let why = retired(DMS_ENGINE, "3.4.6").expect("3.4.6 is retired");
        assert!(why.contains("3.4.6 since 2024-09-30") && why.contains("3.5.4"), "{why}");
        for (of, value) in [(DMS_ENGINE, "3.5.4"), (DMS_ENGINE, "3.5.10"), ("other", "3.4.6")] {
            assert_eq!(retired(of, value), None);
        }
    }

    #[test]
    fn what_is_out_of_support_is_told_apart() {
        let why = unsupported(EMR_RELEASE, "emr-6.9.0").expect("emr-6.9.0 is out of support");
        assert!(why.contains("emr-6.9.0") && why.contains("emr-7.9.0"), "{why}");
        assert_eq!(unsupported(EMR_RELEASE, "emr-7.9.0"), None);
        assert_eq!(retired(EMR_RELEASE, "emr-6.9.0"), None);
    }

    #[test]
    fn every_row_has_a_day_and_a_field() {
        for row in ROWS.iter().chain(UNSUPPORTED) {
            assert!(row.since.parse::<jiff::civil::Date>().is_ok(), "{}", row.since);
            let (kind, field) = row.of.split_once('.').expect("a kind and a field");
            assert!(!kind.is_empty() && !field.is_empty() && !row.remedy.is_empty());
        }
    }
}
