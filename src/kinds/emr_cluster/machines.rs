//! The machines of a cluster: instance groups, or instance fleets, and their disks.

use std::collections::BTreeMap;

use aws_sdk_emr::types::{
    EbsBlockDevice, EbsBlockDeviceConfig, EbsConfiguration, InstanceFleet, InstanceFleetConfig,
    InstanceFleetProvisioningSpecifications, InstanceFleetType, InstanceGroup, InstanceGroupConfig,
    InstanceRoleType, InstanceTypeConfig, InstanceTypeSpecification, MarketType,
    OnDemandProvisioningSpecification, SpotProvisioningSpecification, VolumeSpecification,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::settings::Settings;
use crate::aws::words::{parse, word};
use crate::field::{Computed, Immutable};

/// Machines of one type that do one job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Type of the machines, such as `m5.xlarge`.
    pub instance_type: Immutable<String>,
    /// How many there are; 1 when left out. With `managed_scaling`, AWS's number counts for `core`
    /// and `tasks`. A core group that shrinks moves the blocks of its HDFS first.
    #[serde(default = "one")]
    #[schemars(range(min = 0, max = 4000))]
    pub count: i32,
    /// `ON_DEMAND` (when left out), or `SPOT` for machines that AWS may take back.
    #[serde(default)]
    pub market: Immutable<Market>,
    /// The most to pay for a spot machine and hour, in US dollars; the on-demand price when left out.
    pub bid_price: Option<Immutable<String>>,
    /// Disks of each machine. AWS chooses by the type of the machine when left out.
    pub ebs_volumes: Option<Immutable<Vec<Volume>>>,
    /// Settings of applications for this group alone, over the cluster's own. EMR 5.21 and later
    /// can change them while the cluster runs: it restarts the applications node by node.
    pub configurations: Option<Settings>,
    /// The group's id: `ig-…`.
    #[serde(default)]
    pub id: Computed<String>,
    /// The service's own word: `RUNNING`, `RESIZING`, …
    #[serde(default)]
    pub state: Computed<String>,
}

fn one() -> i32 {
    1
}

/// How machines are paid for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Market {
    /// At the list price, for as long as you like.
    #[default]
    OnDemand,
    /// Cheaper, and AWS may take them back.
    Spot,
}

/// One or several equal disks of a machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Volume {
    /// Kind of disk: `gp3`, `gp2`, `io1`, `io2`, `st1`, `sc1` or `standard`.
    #[serde(rename = "type")]
    #[schemars(regex(pattern = "^(gp2|gp3|io1|io2|st1|sc1|standard)$"))]
    pub volume_type: String,
    /// Size in GiB.
    #[schemars(range(min = 1, max = 16384))]
    pub size_gib: i32,
    /// Provisioned operations per second, for `io1`, `io2` and `gp3`.
    pub iops: Option<i32>,
    /// Provisioned throughput of a `gp3` disk in MiB per second.
    pub throughput_mibps: Option<i32>,
    /// How many of them each machine has; 1 when left out.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 25))]
    pub count: i32,
}

/// Machines of several types among which AWS chooses, up to a capacity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fleet {
    /// Units of capacity from on-demand machines; 0 when left out. With `managed_scaling`, AWS's
    /// number counts for `core_fleet` and `task_fleet`.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub on_demand: i32,
    /// Units of capacity from spot machines; 0 when left out.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub spot: i32,
    /// The types of machine to choose from.
    pub instance_types: Immutable<BTreeMap<String, FleetType>>,
    /// How on-demand machines are chosen. AWS's default is `lowest-price`.
    pub on_demand_allocation: Option<Immutable<OnDemandAllocation>>,
    /// How spot machines are chosen; AWS recommends `price-capacity-optimized`.
    pub spot_allocation: Option<Immutable<SpotAllocation>>,
    /// How many minutes AWS may look for spot machines when the cluster starts, 5 to 1440. Needs
    /// `spot_timeout_action`.
    #[schemars(range(min = 5, max = 1440))]
    pub spot_timeout_minutes: Option<Immutable<i32>>,
    /// What happens when they aren't found in that time.
    pub spot_timeout_action: Option<Immutable<SpotTimeoutAction>>,
    /// The fleet's id: `if-…`.
    #[serde(default)]
    pub id: Computed<String>,
    /// The service's own word: `RUNNING`, `RESIZING`, …
    #[serde(default)]
    pub state: Computed<String>,
}

/// One type of machine in a fleet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FleetType {
    /// How many units of capacity a machine counts; AWS's default is 1.
    #[schemars(range(min = 1, max = 999))]
    pub weight: Option<i32>,
    /// The most to pay for a spot machine, in percent of the on-demand price; AWS's default is 100.
    #[schemars(range(min = 1))]
    pub bid_price_percent: Option<i32>,
    /// Disks of each machine. AWS chooses by the type of the machine when left out.
    pub ebs_volumes: Option<Vec<Volume>>,
}

macro_rules! word {
    ($(#[$doc:meta])* $name:ident { $($(#[$inner:meta])* $variant:ident),+ $(,)? } $case:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = $case)]
        pub enum $name { $($(#[$inner])* $variant),+ }
    };
}

word! {
    /// How on-demand machines are chosen.
    OnDemandAllocation {
        /// The cheapest first.
        LowestPrice,
        /// In the order of the types.
        Prioritized,
    } "kebab-case"
}
word! {
    /// How spot machines are chosen.
    SpotAllocation {
        /// Those that are least likely to be taken back.
        CapacityOptimized,
        /// The same, with a look at the order of the types.
        CapacityOptimizedPrioritized,
        /// Across all pools.
        Diversified,
        /// The cheapest first.
        LowestPrice,
        /// Those that are both cheap and unlikely to be taken back.
        PriceCapacityOptimized,
    } "kebab-case"
}
word! {
    /// What happens when spot machines aren't found in time.
    SpotTimeoutAction {
        /// On-demand machines take their place.
        SwitchToOnDemand,
        /// The cluster ends.
        TerminateCluster,
    } "SCREAMING_SNAKE_CASE"
}

/// An optional word of AWS's as a field that is fixed.
pub fn fixed_word<T: serde::de::DeserializeOwned>(word: Option<&str>) -> Option<Immutable<T>> {
    word.and_then(parse).map(Immutable)
}

impl Group {
    /// In the shape that RunJobFlow and AddInstanceGroups take.
    pub fn config(&self, name: &str, role: InstanceRoleType) -> InstanceGroupConfig {
        let configurations = self.configurations.as_ref().map(Settings::to_aws);
        InstanceGroupConfig::builder()
            .name(name)
            .instance_role(role)
            .instance_type(&*self.instance_type)
            .instance_count(self.count)
            .market(MarketType::from(word(&*self.market).as_str()))
            .set_bid_price(self.bid_price.as_deref().cloned())
            .set_ebs_configuration(self.ebs_volumes.as_deref().map(|all| disks(all)))
            .set_configurations(configurations)
            .build()
    }

    /// From the shape that ListInstanceGroups gives.
    pub fn from_aws(group: &InstanceGroup) -> Self {
        let state = group.status().and_then(|status| status.state());
        let market = group.market().and_then(|market| parse(market.as_str()));
        Self {
            instance_type: group.instance_type().unwrap_or_default().to_owned().into(),
            count: group.requested_instance_count().unwrap_or_default(),
            market: market.unwrap_or(Market::OnDemand).into(),
            bid_price: group.bid_price().map(|price| price.to_owned().into()),
            ebs_volumes: Some(volumes(group.ebs_block_devices()).into()),
            configurations: Some(Settings::from_aws(group.configurations())),
            id: group.id().map(str::to_owned).into(),
            state: state.map(|state| state.as_str().to_owned()).into(),
        }
    }

    /// Takes over how AWS spells the same.
    pub fn accept(&mut self, live: &Self, scaled: bool) {
        if scaled {
            self.count = live.count;
        }
        if let (Some(want), Some(have)) = (&mut self.ebs_volumes, &live.ebs_volumes) {
            take_over(want, have);
        }
        let price = |price: &Option<Immutable<String>>| price.as_ref()?.parse::<f64>().ok();
        if price(&self.bid_price).is_some() && price(&self.bid_price) == price(&live.bid_price) {
            self.bid_price.clone_from(&live.bid_price);
        }
    }

    /// What AWS is still doing to the group. Spot machines may be out of stock for as long as they
    /// like.
    pub fn unsettled(&self) -> Option<&str> {
        let state = self.state.as_deref()?;
        let moving = ["PROVISIONING", "BOOTSTRAPPING", "RECONFIGURING", "RESIZING"];
        (moving.contains(&state) && *self.market == Market::OnDemand).then_some(state)
    }
}

impl Fleet {
    /// In the shape that RunJobFlow and AddInstanceFleet take.
    pub fn config(&self, name: &str, role: InstanceFleetType) -> InstanceFleetConfig {
        let types = self.instance_types.iter().map(|(name, one)| one.config(name)).collect();
        let spot = SpotProvisioningSpecification::builder()
            .set_timeout_duration_minutes(self.spot_timeout_minutes.as_deref().copied())
            .set_timeout_action(
                self.spot_timeout_action.as_deref().map(|one| word(one).as_str().into()),
            )
            .set_allocation_strategy(
                self.spot_allocation.as_deref().map(|one| word(one).as_str().into()),
            )
            .build();
        let on_demand = self.on_demand_allocation.as_deref().map(|one| {
            OnDemandProvisioningSpecification::builder()
                .allocation_strategy(word(one).as_str().into())
                .build()
        });
        let given = self.spot_timeout_minutes.is_some() || self.spot_allocation.is_some();
        let launch = InstanceFleetProvisioningSpecifications::builder()
            .set_spot_specification(given.then_some(spot))
            .set_on_demand_specification(on_demand)
            .build();
        InstanceFleetConfig::builder()
            .name(name)
            .instance_fleet_type(role)
            .target_on_demand_capacity(self.on_demand)
            .target_spot_capacity(self.spot)
            .set_instance_type_configs(Some(types))
            .launch_specifications(launch)
            .build()
    }

    /// From the shape that ListInstanceFleets gives.
    pub fn from_aws(fleet: &InstanceFleet) -> Self {
        let state = fleet.status().and_then(|status| status.state());
        let launch = fleet.launch_specifications();
        let spot = launch.and_then(|launch| launch.spot_specification());
        let on_demand = launch.and_then(|launch| launch.on_demand_specification());
        let types = fleet.instance_type_specifications().iter().map(|one| {
            (one.instance_type().unwrap_or_default().to_owned(), FleetType::from_aws(one))
        });
        Self {
            on_demand: fleet.target_on_demand_capacity().unwrap_or_default(),
            spot: fleet.target_spot_capacity().unwrap_or_default(),
            instance_types: types.collect::<BTreeMap<_, _>>().into(),
            on_demand_allocation: fixed_word(
                on_demand.and_then(|one| one.allocation_strategy()).map(|one| one.as_str()),
            ),
            spot_allocation: fixed_word(
                spot.and_then(|one| one.allocation_strategy()).map(|one| one.as_str()),
            ),
            spot_timeout_minutes: spot
                .and_then(|one| one.timeout_duration_minutes())
                .map(Immutable),
            spot_timeout_action: fixed_word(
                spot.and_then(|one| one.timeout_action()).map(|one| one.as_str()),
            ),
            id: fleet.id().map(str::to_owned).into(),
            state: state.map(|state| state.as_str().to_owned()).into(),
        }
    }

    /// Takes over how AWS spells the same.
    pub fn accept(&mut self, live: &Self, scaled: bool) {
        if scaled {
            (self.on_demand, self.spot) = (live.on_demand, live.spot);
        }
        for (name, want) in self.instance_types.iter_mut() {
            let have = live.instance_types.get(name).and_then(|have| have.ebs_volumes.as_ref());
            if let (Some(want), Some(have)) = (&mut want.ebs_volumes, have) {
                take_over(want, have);
            }
        }
    }

    /// What AWS is still doing to the fleet. Spot machines may be out of stock for as long as they
    /// like.
    pub fn unsettled(&self) -> Option<&str> {
        let state = self.state.as_deref()?;
        let moving = ["PROVISIONING", "BOOTSTRAPPING", "RECONFIGURING", "RESIZING"];
        (moving.contains(&state) && self.spot == 0).then_some(state)
    }
}

impl FleetType {
    fn config(&self, name: &str) -> InstanceTypeConfig {
        InstanceTypeConfig::builder()
            .instance_type(name)
            .set_weighted_capacity(self.weight)
            .set_bid_price_as_percentage_of_on_demand_price(self.bid_price_percent.map(f64::from))
            .set_ebs_configuration(self.ebs_volumes.as_deref().map(disks))
            .build()
    }

    fn from_aws(one: &InstanceTypeSpecification) -> Self {
        // Whole percents are all that the stack can say.
        let percent = one.bid_price_as_percentage_of_on_demand_price();
        #[allow(clippy::cast_possible_truncation, reason = "a percentage is small")]
        let percent = percent.map(|percent| percent.round() as i32);
        Self {
            weight: one.weighted_capacity(),
            bid_price_percent: percent,
            ebs_volumes: Some(volumes(one.ebs_block_devices())),
        }
    }
}

fn disks(volumes: &[Volume]) -> EbsConfiguration {
    let configs = volumes.iter().map(|volume| {
        let specification = VolumeSpecification::builder()
            .volume_type(&volume.volume_type)
            .size_in_gb(volume.size_gib)
            .set_iops(volume.iops)
            .set_throughput(volume.throughput_mibps)
            .build();
        EbsBlockDeviceConfig::builder()
            .volume_specification(specification)
            .volumes_per_instance(volume.count)
            .build()
    });
    EbsConfiguration::builder().set_ebs_block_device_configs(Some(configs.collect())).build()
}

/// AWS reports each disk of a machine; equal ones are counted together.
fn volumes(devices: &[EbsBlockDevice]) -> Vec<Volume> {
    let mut all: Vec<Volume> = Vec::new();
    for specification in devices.iter().filter_map(|device| device.volume_specification()) {
        let one = Volume {
            volume_type: specification.volume_type().unwrap_or_default().to_owned(),
            size_gib: specification.size_in_gb().unwrap_or_default(),
            iops: specification.iops(),
            throughput_mibps: specification.throughput(),
            count: 1,
        };
        match all.iter_mut().find(|other| Volume { count: 1, ..(*other).clone() } == one) {
            Some(same) => same.count += 1,
            None => all.push(one),
        }
    }
    all
}

/// Takes over live when it is the same disks in another order, or with what AWS filled in.
fn take_over(want: &mut Vec<Volume>, have: &[Volume]) {
    let same = |want: &Volume, have: &Volume| {
        want.volume_type == have.volume_type
            && want.size_gib == have.size_gib
            && want.count == have.count
            && want.iops.is_none_or(|iops| have.iops == Some(iops))
            && want.throughput_mibps.is_none_or(|most| have.throughput_mibps == Some(most))
    };
    let covered = want.iter().all(|one| have.iter().any(|other| same(one, other)));
    if covered && want.len() == have.len() {
        *want = have.to_vec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume(size_gib: i32, iops: Option<i32>, count: i32) -> Volume {
        let volume_type = "gp3".to_owned();
        Volume { volume_type, size_gib, iops, throughput_mibps: None, count }
    }

    #[test]
    fn disks_are_counted_together() {
        let device = |size: i32| {
            let specification = VolumeSpecification::builder().volume_type("gp3").size_in_gb(size);
            EbsBlockDevice::builder().volume_specification(specification.build()).build()
        };
        let all = volumes(&[device(64), device(32), device(64)]);
        assert_eq!(all, [volume(64, None, 2), volume(32, None, 1)]);
    }

    #[test]
    fn what_aws_fills_in_is_the_same_disk() {
        let have = [volume(64, Some(3000), 2), volume(32, Some(3000), 1)];
        let mut want = vec![volume(32, None, 1), volume(64, None, 2)];
        take_over(&mut want, &have);
        assert_eq!(want, have);
        let mut other = vec![volume(32, None, 1), volume(64, None, 1)];
        take_over(&mut other, &have);
        assert_eq!(other.len(), 2);
        assert_ne!(other, have);
    }
}
