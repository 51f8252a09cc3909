//! Workers and what they may use, in numbers; AWS writes `4 vCPU` and `16 GB`.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_emrserverless::types::{
    InitialCapacityConfig, MaximumAllowedResources, WorkerResourceConfig,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws::Error;

/// Workers that wait for jobs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Workers {
    /// How many there are.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub count: i64,
    /// Virtual processors of each: 1, 2, 4, 8 or 16.
    #[schemars(range(min = 1))]
    pub vcpus: i32,
    /// Memory of each in GiB; how much depends on the processors.
    #[schemars(range(min = 1))]
    pub memory_gib: i32,
    /// Disk of each in GiB, 20 to 200. AWS's default is 20.
    #[schemars(range(min = 20, max = 2000))]
    pub disk_gib: Option<i32>,
}

/// What all jobs of an application may use at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Capacity {
    /// Virtual processors.
    #[schemars(range(min = 1))]
    pub vcpus: i32,
    /// Memory in GiB.
    #[schemars(range(min = 1))]
    pub memory_gib: i32,
    /// Disk in GiB. AWS starts without a limit.
    #[schemars(range(min = 1))]
    pub disk_gib: Option<i32>,
}

fn vcpus(number: i32) -> String {
    format!("{number} vCPU")
}

fn gib(number: i32) -> String {
    format!("{number} GB")
}

/// The number in `4 vCPU`, `4vCPU` or `4`.
fn number(text: &str) -> i32 {
    let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_default()
}

/// In the shape that the calls take; none when there are none.
pub fn to_aws(
    all: &BTreeMap<String, Workers>,
) -> Result<Option<HashMap<String, InitialCapacityConfig>>, Error> {
    let configs = all.iter().map(|(job, workers)| {
        let each = WorkerResourceConfig::builder()
            .cpu(vcpus(workers.vcpus))
            .memory(gib(workers.memory_gib))
            .set_disk(workers.disk_gib.map(gib))
            .build()?;
        let config = InitialCapacityConfig::builder().worker_count(workers.count);
        Ok((job.clone(), config.worker_configuration(each).build()?))
    });
    let configs = configs.collect::<Result<HashMap<_, _>, Error>>()?;
    Ok((!configs.is_empty()).then_some(configs))
}

/// From the shape that GetApplication gives.
pub fn from_aws(all: &HashMap<String, InitialCapacityConfig>) -> BTreeMap<String, Workers> {
    let workers = all.iter().filter_map(|(job, config)| {
        let each = config.worker_configuration()?;
        let workers = Workers {
            count: config.worker_count(),
            vcpus: number(each.cpu()),
            memory_gib: number(each.memory()),
            disk_gib: each.disk().map(number),
        };
        Some((job.clone(), workers))
    });
    workers.collect()
}

impl Workers {
    /// Takes over the disk that AWS filled in.
    pub fn accept(&mut self, live: &Self) {
        if self.disk_gib.is_none() {
            self.disk_gib = live.disk_gib;
        }
    }
}

impl Capacity {
    /// In the shape that the calls take.
    pub fn to_aws(&self) -> Result<MaximumAllowedResources, Error> {
        let limits = MaximumAllowedResources::builder()
            .cpu(vcpus(self.vcpus))
            .memory(gib(self.memory_gib))
            .set_disk(self.disk_gib.map(gib));
        Ok(limits.build()?)
    }

    /// From the shape that GetApplication gives.
    pub fn from_aws(limits: &MaximumAllowedResources) -> Self {
        Self {
            vcpus: number(limits.cpu()),
            memory_gib: number(limits.memory()),
            disk_gib: limits.disk().map(number),
        }
    }

    /// Whether `live` is what this asks for.
    pub fn covers(&self, live: &Self) -> bool {
        (self.vcpus, self.memory_gib) == (live.vcpus, live.memory_gib)
            && (self.disk_gib.is_none() || self.disk_gib == live.disk_gib)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_every_spelling() {
        for text in ["4 vCPU", "4vCPU", "4", "4 GB", "4gb"] {
            assert_eq!(number(text), 4, "{text}");
        }
    }
}
