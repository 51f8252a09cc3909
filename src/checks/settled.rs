//! What needs no check: what every stack meets by construction, and what lagoa has no kind for.

/// A requirement that is settled without looking at a stack.
pub struct Settled {
    /// What auditors' lists call it here.
    pub id: &'static str,
    /// Every stack meets it; otherwise it is about nothing that a stack can hold.
    pub always: bool,
    /// Why.
    pub why: &'static str,
}

const fn always(id: &'static str, why: &'static str) -> Settled {
    Settled { id, always: true, why }
}

const fn absent(id: &'static str, why: &'static str) -> Settled {
    Settled { id, always: false, why }
}

/// Every requirement that is settled.
pub const SETTLED: &[Settled] = &[
    always(
        "S3-SSE",
        "S3 encrypts every new object by itself, with SSE-S3 unless `encryption` says more",
    ),
    always("RDS-SECRET", "a password can't be written in a stack: only where it comes from"),
    always(
        "EKS-SECRETS",
        "EKS encrypts all that its API keeps, in every version that it still offers",
    ),
    always("EKS-VERSION", "`check` refuses versions that EKS no longer offers"),
    absent("SG-DEFAULT", "lagoa neither uses nor changes the default group of a VPC"),
    absent("VPC-FLOWLOGS", "no kind for flow logs"),
    absent("GLUE-SECCONF", "no kind for Glue"),
    absent("GLUE-SECRETS", "no kind for Glue"),
    absent("ATHENA-ENCRYPT", "no kind for Athena"),
    absent("DDB-PITR", "no kind for DynamoDB"),
    absent("DDB-DELPROT", "no kind for DynamoDB"),
    absent("SFN-LOG", "no kind for Step Functions"),
];
