//! Words of the EKS API.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How machines are paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub enum CapacityType {
    OnDemand,
    Spot,
    CapacityBlock,
}

/// What becomes of pods that don't tolerate a taint.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub enum TaintEffect {
    NoSchedule,
    NoExecute,
    PreferNoSchedule,
}

/// The machines' system. EKS makes no more images of Amazon Linux 2 (`AL2_…`) from Kubernetes 1.33.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(
    missing_docs,
    non_camel_case_types,
    clippy::upper_case_acronyms,
    reason = "the names are AWS's own"
)]
pub enum AmiType {
    AL2023_x86_64_STANDARD,
    AL2023_ARM_64_STANDARD,
    AL2023_x86_64_NEURON,
    AL2023_x86_64_NVIDIA,
    AL2023_ARM_64_NVIDIA,
    AL2_x86_64,
    AL2_x86_64_GPU,
    AL2_ARM_64,
    BOTTLEROCKET_ARM_64,
    BOTTLEROCKET_x86_64,
    BOTTLEROCKET_ARM_64_FIPS,
    BOTTLEROCKET_x86_64_FIPS,
    BOTTLEROCKET_ARM_64_NVIDIA,
    BOTTLEROCKET_x86_64_NVIDIA,
    BOTTLEROCKET_ARM_64_NVIDIA_FIPS,
    BOTTLEROCKET_x86_64_NVIDIA_FIPS,
    WINDOWS_CORE_2019_x86_64,
    WINDOWS_FULL_2019_x86_64,
    WINDOWS_CORE_2022_x86_64,
    WINDOWS_FULL_2022_x86_64,
    WINDOWS_CORE_2025_x86_64,
    WINDOWS_FULL_2025_x86_64,
    CUSTOM,
}
