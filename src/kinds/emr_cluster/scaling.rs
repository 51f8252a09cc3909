//! Managed scaling: the limits between which AWS sizes a cluster by itself.

use aws_sdk_emr::types::{ComputeLimits, ManagedScalingPolicy};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The limits between which AWS sizes the core and task nodes by itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ManagedScaling {
    /// What the limits count; `Instances` when left out.
    #[serde(default)]
    pub unit: ScalingUnit,
    /// How many there are at least.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub minimum: i32,
    /// How many there are at most. 0 means no managed scaling.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub maximum: i32,
    /// How many of them may be on-demand machines.
    pub maximum_on_demand: Option<i32>,
    /// How many of them may be core nodes.
    pub maximum_core: Option<i32>,
}

/// What limits of managed scaling count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ScalingUnit {
    /// Machines.
    #[default]
    Instances,
    /// Units of capacity of fleets.
    InstanceFleetUnits,
    /// Virtual cores.
    #[serde(rename = "VCPU")]
    Vcpu,
}

impl ScalingUnit {
    fn to_aws(self) -> &'static str {
        match self {
            Self::Instances => "Instances",
            Self::InstanceFleetUnits => "InstanceFleetUnits",
            Self::Vcpu => "VCPU",
        }
    }

    fn from_aws(word: &str) -> Option<Self> {
        [Self::Instances, Self::InstanceFleetUnits, Self::Vcpu]
            .into_iter()
            .find(|unit| unit.to_aws() == word)
    }
}

impl ManagedScaling {
    /// Whether `live` is what this asks for.
    pub fn covers(&self, live: &Self) -> bool {
        let same = |want: Option<i32>, have: Option<i32>| want.is_none() || want == have;
        self.unit == live.unit
            && (self.minimum, self.maximum) == (live.minimum, live.maximum)
            && same(self.maximum_on_demand, live.maximum_on_demand)
            && same(self.maximum_core, live.maximum_core)
    }

    /// The policy, or none when there are no limits.
    pub fn policy(&self) -> Option<ManagedScalingPolicy> {
        let limits = ComputeLimits::builder()
            .unit_type(self.unit.to_aws().into())
            .minimum_capacity_units(self.minimum)
            .maximum_capacity_units(self.maximum)
            .set_maximum_on_demand_capacity_units(self.maximum_on_demand)
            .set_maximum_core_capacity_units(self.maximum_core)
            .build();
        (self.maximum > 0).then(|| ManagedScalingPolicy::builder().compute_limits(limits).build())
    }

    /// From the shape that GetManagedScalingPolicy gives.
    pub fn from_aws(limits: &ComputeLimits) -> Self {
        let unit = limits.unit_type().and_then(|unit| ScalingUnit::from_aws(unit.as_str()));
        Self {
            unit: unit.unwrap_or_default(),
            minimum: limits.minimum_capacity_units().unwrap_or_default(),
            maximum: limits.maximum_capacity_units().unwrap_or_default(),
            maximum_on_demand: limits.maximum_on_demand_capacity_units(),
            maximum_core: limits.maximum_core_capacity_units(),
        }
    }
}
