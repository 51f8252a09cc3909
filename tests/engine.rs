//! The engine against a cloud in memory that is slow, stale, throttled and forgetful. No clock
//! runs: time is skipped whenever everybody waits.

#[path = "engine/cloud.rs"]
mod cloud;
#[path = "engine/lab.rs"]
mod lab;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use cloud::{Fault, Lapse, Nature};
use lab::{Lab, STACK, steps};
use lagoa::aws::Class;
use lagoa::execution::Stop;
use lagoa::plan::Options;
use proptest::prelude::*;
use serde_json::json;
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

fn faults(verb: &'static str, faults: &[Fault]) -> BTreeMap<&'static str, VecDeque<Fault>> {
    BTreeMap::from([(verb, faults.iter().cloned().collect())])
}

fn refuse(class: Class, times: usize) -> Vec<Fault> {
    vec![Fault::Refuse(class); times]
}

#[tokio::test(start_paused = true)]
async fn what_is_slow_is_waited_for_with_few_reads() {
    let mut lab = Lab::new();
    lab.want("db", json!({ "size": 20 }));
    lab.toy.nature("db", Nature { pending: 20 * MINUTE, ..Nature::default() });
    let start = Instant::now();
    lab.apply().await.complete();
    let took = start.elapsed();
    assert!(took >= 20 * MINUTE && took < 21 * MINUTE, "{took:?}");
    let reads = lab.toy.cloud.borrow().reads.len();
    assert!(reads < 130, "{reads} reads");
    assert_eq!(lab.toy.calls("create"), ["create db"]);
    Lab::is_settled(&lab.plan().await);
}

#[tokio::test(start_paused = true)]
async fn all_who_wait_share_one_read() {
    let mut lab = Lab::new();
    for number in 0..50 {
        let key = format!("toy{number:02}");
        lab.want(&key, json!({}));
        lab.toy.nature(&key, Nature { pending: MINUTE, ..Nature::default() });
    }
    lab.apply().await.complete();
    let reads = lab.toy.cloud.borrow().reads.len();
    assert!(reads < 60, "{reads} reads for 50 toys");
}

#[tokio::test(start_paused = true)]
async fn defaults_that_the_stack_contradicts_are_put_right() {
    let mut lab = Lab::new();
    lab.want("toy", json!({ "size": 3, "colour": "red" }));
    let comes_with = BTreeMap::from([("colour", json!("grey")), ("size", json!(1))]);
    lab.toy.nature("toy", Nature { comes_with, pending: MINUTE, ..Nature::default() });
    lab.apply().await.complete();
    let toy = lab.toy.has("toy").expect("it was made");
    assert_eq!((&toy["size"], &toy["colour"]), (&json!(3), &json!("red")));
    assert_eq!(lab.toy.calls("update"), ["update toy"]);
}

#[tokio::test(start_paused = true)]
async fn defaults_that_the_stack_leaves_open_stay() {
    let mut lab = Lab::new();
    lab.want("toy", json!({}));
    lab.apply().await.complete();
    assert_eq!(lab.toy.has("toy").expect("it was made")["colour"], "grey");
    assert!(lab.toy.calls("update").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_create_whose_answer_is_lost_makes_one_thing() {
    let mut lab = Lab::new();
    lab.want("toy", json!({}));
    let faults = faults("create", &[Fault::Lose]);
    lab.toy.nature("toy", Nature { faults, ..Nature::default() });
    lab.apply().await.complete();
    assert_eq!(lab.toy.names(), ["toy"]);
    assert_eq!(lab.toy.calls("create").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_create_whose_answer_is_lost_may_stay_invisible_for_a_while() {
    let mut lab = Lab::new();
    lab.want("toy", json!({}));
    let faults = faults("create", &[Fault::Lose]);
    lab.toy.nature("toy", Nature { faults, hidden: 10 * SECOND, ..Nature::default() });
    lab.apply().await.complete();
    Lab::is_settled(&lab.plan().await);
}

#[tokio::test(start_paused = true)]
async fn what_was_just_made_may_be_invisible_for_a_while() {
    let mut lab = Lab::new();
    lab.want("toy", json!({}));
    lab.toy.nature("toy", Nature { hidden: MINUTE, ..Nature::default() });
    lab.apply().await.complete();
    assert_eq!(lab.toy.calls("create").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn one_read_that_finds_nothing_is_not_believed() {
    let mut lab = Lab::new();
    lab.want("toy", json!({ "size": 1 }));
    lab.toy.nature(
        "toy",
        Nature {
            pending: MINUTE,
            lapse: Some((Lapse::Missing, 20 * SECOND, 4 * SECOND)),
            ..Nature::default()
        },
    );
    lab.apply().await.complete();

    lab.want("toy", json!({ "size": 2 }));
    let plan = lab.plan().await;
    lab.toy.lapse("toy", Lapse::Missing, 4 * SECOND);
    lab.run(plan, 10, &Stop::default()).await.complete();
    assert_eq!(lab.toy.calls("create").len(), 1);

    let plan = lab.plan_destroy().await;
    lab.toy.lapse("toy", Lapse::Missing, 4 * SECOND);
    lab.run(plan, 10, &Stop::default()).await.complete();
    assert!(lab.toy.names().is_empty(), "it was there all the while");
}

#[tokio::test(start_paused = true)]
async fn one_read_that_finds_a_failure_is_not_believed() {
    let mut lab = Lab::new();
    lab.want("toy", json!({}));
    lab.toy.nature(
        "toy",
        Nature {
            pending: MINUTE,
            lapse: Some((Lapse::Broken, 20 * SECOND, 4 * SECOND)),
            ..Nature::default()
        },
    );
    lab.apply().await.complete();
    Lab::is_settled(&lab.plan().await);
}

#[tokio::test(start_paused = true)]
async fn what_was_just_made_may_be_seen_and_missing_again() {
    let mut lab = Lab::new();
    lab.want("toy", json!({}));
    let lapse = Some((Lapse::Missing, SECOND, 30 * SECOND));
    lab.toy.nature("toy", Nature { lapse, pending: MINUTE, ..Nature::default() });
    lab.apply().await.complete();
    assert_eq!(lab.toy.calls("create").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn stale_reads_bring_no_second_update() {
    let mut lab = Lab::new();
    lab.want("toy", json!({ "size": 1 }));
    lab.apply().await.complete();
    lab.want("toy", json!({ "size": 2 }));
    lab.toy.nature("toy", Nature { stale: 30 * SECOND, ..Nature::default() });
    let plan = lab.plan().await;
    assert_eq!(steps(&plan), ["update toy"]);
    lab.run(plan, 10, &Stop::default()).await.complete();
    assert_eq!(lab.toy.calls("update").len(), 1);
    Lab::is_settled(&lab.plan().await);
}

#[tokio::test(start_paused = true)]
async fn what_aws_never_keeps_is_named() {
    let mut lab = Lab::new();
    lab.want("toy", json!({ "size": 2, "colour": "red" }));
    let comes_with = BTreeMap::from([("size", json!(1))]);
    lab.toy.nature("toy", Nature { comes_with, keeps: vec!["size"], ..Nature::default() });
    let ran = lab.apply().await;
    assert_eq!(ran.failure(), "toy: AWS took the change, but size stays as it was");
    assert!(lab.toy.calls("update").len() <= 4);
}

#[tokio::test(start_paused = true)]
async fn throttling_and_passing_faults_are_sat_out() {
    for class in [Class::Throttled, Class::Transient, Class::Busy] {
        for verb in ["create", "update", "delete", "read"] {
            let mut lab = Lab::new();
            lab.toy.put("old", json!({ "tags": { "lagoa:stack": STACK } }));
            lab.toy.put("toy", json!({ "tags": { "lagoa:stack": STACK, "lagoa:name": "toy" } }));
            lab.want("toy", json!({ "size": 2 })).want("new", json!({}));
            for name in ["old", "toy", "new"] {
                let faults = faults(verb, &refuse(class, 3));
                lab.toy.nature(name, Nature { faults, ..Nature::default() });
            }
            lab.apply().await.complete();
            assert_eq!(lab.toy.names(), ["new", "toy"], "{class:?} {verb}");
            Lab::is_settled(&lab.plan().await);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_calling_again_cannot_help_is_called_once() {
    let mut lab = Lab::new();
    lab.want("toy", json!({}));
    let faults = faults("create", &refuse(Class::Terminal, 1));
    lab.toy.nature("toy", Nature { faults, ..Nature::default() });
    assert_eq!(lab.apply().await.failure(), "toy: create refused");
    assert_eq!(lab.toy.calls("create").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn news_is_waited_for_only_by_what_stands_on_it() {
    let mut lab = Lab::new();
    lab.want("role", json!({})).want("user", json!({ "link": "role" }));
    let propagating =
        || Nature { faults: faults("create", &refuse(Class::Propagating, 5)), ..Nature::default() };
    lab.toy.nature("user", propagating());
    lab.apply().await.complete();

    lab.toy.take("user");
    lab.toy.nature("user", propagating());
    assert_eq!(lab.apply().await.failure(), "user: create refused");
}

#[tokio::test(start_paused = true)]
async fn a_failure_stops_dependents_and_not_neighbours() {
    let mut lab = Lab::new();
    lab.want("a", json!({}))
        .want("b", json!({ "link": "a" }))
        .want("c", json!({ "link": "b" }))
        .want("neighbour", json!({}))
        .want("next", json!({ "link": "neighbour" }));
    lab.toy.nature("a", Nature { dies: true, pending: MINUTE, ..Nature::default() });
    let ran = lab.apply().await;
    assert_eq!(ran.failure(), "a: AWS reports it as broken");
    assert_eq!(ran.done(), BTreeSet::from(["neighbour", "next"]));
    assert_eq!(ran.skipped(), BTreeSet::from(["b", "c"]));
    assert!(ran.told.contains(&"skipped c: b".to_owned()), "{:?}", ran.told);

    lab.toy.nature("a", Nature::default());
    let plan = lab.plan().await;
    assert_eq!(steps(&plan), ["delete a", "create a", "create b", "create c"]);
    lab.run(plan, 10, &Stop::default()).await.complete();
    Lab::is_settled(&lab.plan().await);
}

#[tokio::test(start_paused = true)]
async fn what_changed_since_the_plan_is_left_alone() {
    let mut lab = Lab::new();
    lab.want("toy", json!({ "size": 1 }));
    lab.apply().await.complete();
    lab.want("toy", json!({ "size": 2 }));
    let ours =
        |size: u32| json!({ "size": size, "tags": { "lagoa:stack": STACK, "lagoa:name": "toy" } });

    let plan = lab.plan().await;
    lab.toy.put("toy", ours(7));
    let ran = lab.run(plan.clone(), 10, &Stop::default()).await;
    assert_eq!(ran.failure(), "toy: changed: size is 7 now");
    assert_eq!(lab.toy.has("toy").expect("it is there")["size"], 7);

    lab.toy.take("toy");
    let ran = lab.run(plan.clone(), 10, &Stop::default()).await;
    assert_eq!(ran.failure(), "toy: changed: toy is gone");

    lab.toy.put("toy", json!({ "size": 1, "tags": { "lagoa:stack": "theirs" } }));
    let ran = lab.run(plan.clone(), 10, &Stop::default()).await;
    assert_eq!(ran.failure(), "toy: changed: toy isn't this stack's any more");

    // What somebody has done already needs no doing.
    lab.toy.put("toy", ours(2));
    lab.run(plan, 10, &Stop::default()).await.complete();
}

#[tokio::test(start_paused = true)]
async fn what_somebody_else_made_meanwhile_is_left_alone() {
    let mut lab = Lab::new();
    lab.want("toy", json!({ "size": 2 }));
    let plan = lab.plan().await;
    lab.toy.put("toy", json!({ "size": 7 }));
    let ran = lab.run(plan, 10, &Stop::default()).await;
    assert_eq!(ran.failure(), "toy: changed: toy exists now, and isn't lagoa's");
    assert!(lab.toy.calls("").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_foreign_thing_is_never_touched() {
    let mut lab = Lab::new();
    lab.want("toy", json!({ "size": 2 })).want("user", json!({ "link": "toy" }));
    lab.toy.put("toy", json!({ "tags": { "lagoa:stack": "theirs" } }));
    let ran = lab.apply().await;
    assert_eq!(ran.failure(), "toy: blocked");
    assert_eq!(ran.skipped(), BTreeSet::from(["user"]));
    assert!(lab.toy.calls("").is_empty());

    lab.drop("toy").drop("user");
    Lab::is_settled(&lab.plan().await);
    Lab::is_settled(&lab.plan_destroy().await);
}

#[tokio::test(start_paused = true)]
async fn deletes_run_dependents_first_orphans_included() {
    let mut lab = Lab::new();
    lab.want("vpc", json!({}))
        .want("subnet", json!({ "home": "vpc" }))
        .want("db", json!({ "link": "subnet" }))
        .want("seed", json!({ "link": "db" }));
    lab.apply().await.complete();
    for name in ["vpc", "subnet", "db", "seed"] {
        lab.toy.nature(name, Nature { leaving: 5 * MINUTE, ..Nature::default() });
    }
    // Two of them are orphans now.
    lab.drop("seed").drop("db");
    let plan = lab.plan_destroy().await;
    lab.run(plan, 10, &Stop::default()).await.complete();
    let order = ["delete seed", "delete db", "delete subnet", "delete vpc"];
    assert_eq!(lab.toy.calls("delete"), order);
    assert!(lab.toy.names().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_uses_each_other_goes_at_the_same_time() {
    let lab = Lab::new();
    let user = |name: &str, uses: &str| {
        let tags = json!({ "lagoa:stack": STACK, "lagoa:name": name });
        lab.toy.put(name, json!({ "link": uses, "tags": tags }));
        lab.toy.nature(name, Nature { detaches: true, ..Nature::default() });
    };
    user("master", "arn:core:2");
    user("core", "arn:master:1");
    user("machine", "arn:core:2");
    let plan = lab.plan_destroy().await;
    let ran = lab.run(plan, 10, &Stop::default()).await.complete();
    assert_eq!(ran.told[0], "started machine");
    assert_eq!(lab.toy.names(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_protected_orphan_goes_only_where_nothing_is_worth_keeping() {
    let lab = Lab::new();
    let tags = json!({ "lagoa:stack": STACK, "lagoa:name": "old", "lagoa:protect": "true" });
    lab.toy.put("old", json!({ "tags": tags }));
    let ran = lab.run(lab.plan_destroy().await, 10, &Stop::default()).await;
    assert_eq!(ran.failure(), "old: blocked");
    let careless = Options { careless: true, ..Options::default() };
    let plan = lab.plan_destroy_with(&careless).await;
    lab.run(plan, 10, &Stop::default()).await.complete();
    assert!(lab.toy.names().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_orphan_goes_after_whoever_lets_go_of_it() {
    let mut lab = Lab::new();
    lab.want("old", json!({})).want("new", json!({})).want("db", json!({ "link": "old" }));
    lab.apply().await.complete();
    lab.drop("old").want("db", json!({ "link": "new" }));
    lab.apply().await.complete();
    assert_eq!(lab.toy.names(), ["db", "new"]);
    assert_eq!(lab.toy.calls("delete").len(), 1, "the delete waited for the update");
    Lab::is_settled(&lab.plan().await);
}

#[tokio::test(start_paused = true)]
async fn a_replacement_takes_along_what_refers_to_it_for_good() {
    let mut lab = Lab::new();
    lab.want("vpc", json!({ "zone": "a" }))
        .want("subnet", json!({ "home": "vpc" }))
        .want("table", json!({ "home": "subnet" }));
    lab.apply().await.complete();
    lab.want("vpc", json!({ "zone": "b" }));
    let plan = lab.plan().await;
    lab.run(plan, 10, &Stop::default()).await.complete();
    assert_eq!(lab.toy.calls("delete"), ["delete table", "delete subnet", "delete vpc"]);
    assert_eq!(lab.toy.has("vpc").expect("it was made anew")["zone"], "b");
    Lab::is_settled(&lab.plan().await);
}

#[tokio::test(start_paused = true)]
async fn an_old_one_that_shows_again_is_not_taken_for_the_new_one() {
    let mut lab = Lab::new();
    lab.want("role", json!({ "zone": "a" }));
    lab.apply().await.complete();
    lab.toy.nature("role", Nature { haunts: 5 * SECOND, ..Nature::default() });
    lab.want("role", json!({ "zone": "b" }));
    lab.apply().await.complete();
    assert_eq!(lab.toy.has("role").expect("it was made anew")["zone"], "b");
    assert_eq!(lab.toy.calls("update"), Vec::<String>::new());
    Lab::is_settled(&lab.plan().await);
}

#[tokio::test(start_paused = true)]
async fn what_is_still_being_deleted_is_made_anew_once_it_is_gone() {
    let mut lab = Lab::new();
    lab.want("db", json!({ "zone": "a" })).want("seed", json!({ "link": "db" }));
    lab.apply().await.complete();
    lab.toy.nature("db", Nature { leaving: 5 * MINUTE, ..Nature::default() });
    let (plan, stop) = (lab.plan_destroy().await, Stop::default());
    let destroy = lab.run(plan, 10, &stop);
    assert!(tokio::time::timeout(30 * SECOND, destroy).await.is_err(), "it was killed");
    let plan = lab.plan().await;
    assert_eq!(steps(&plan), ["create db", "create seed"]);
    lab.run(plan, 10, &Stop::default()).await.complete();
    assert_eq!(lab.toy.names(), ["db", "seed"]);
    Lab::is_settled(&lab.plan().await);
}

#[tokio::test(start_paused = true)]
async fn what_linked_to_something_replaced_is_linked_to_the_new_one() {
    let mut lab = Lab::new();
    lab.want("policy", json!({ "zone": "a" })).want("role", json!({ "link": "policy" }));
    lab.apply().await.complete();
    lab.toy.nature("policy", Nature { detaches: true, ..Nature::default() });
    lab.want("policy", json!({ "zone": "b" }));
    let plan = lab.plan().await;
    assert_eq!(steps(&plan), ["delete policy", "create policy", "update role"]);
    lab.run(plan, 10, &Stop::default()).await.complete();
    let (policy, role) = (lab.toy.has("policy"), lab.toy.has("role"));
    assert_eq!(role.expect("it is there")["link"], policy.expect("it is there")["arn"]);
    Lab::is_settled(&lab.plan().await);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_replaced_while_it_is_used_says_what_to_do() {
    let mut lab = Lab::new();
    lab.want("group", json!({ "zone": "a" })).want("db", json!({ "link": "group" }));
    lab.apply().await.complete();
    lab.want("group", json!({ "zone": "b" }));
    let ran = lab.apply().await;
    assert_eq!(ran.failure(), "group: db uses group");
    assert!(ran.hint().contains("another key"), "{}", ran.hint());

    lab.drop("group")
        .want("group2", json!({ "zone": "b" }))
        .want("db", json!({ "link": "group2" }));
    lab.apply().await.complete();
    assert_eq!(lab.toy.names(), ["db", "group2"]);
}

#[tokio::test(start_paused = true)]
async fn a_replacement_that_no_order_allows_ends_with_what_is_in_the_way() {
    let mut lab = Lab::new();
    lab.want("group", json!({ "zone": "a" })).want("db", json!({ "link": "group" }));
    lab.apply().await.complete();
    // The old one goes after the database let go of it, which waits for one that stands on the new.
    lab.want("group", json!({ "zone": "b" }))
        .want("table", json!({ "home": "group" }))
        .want("db", json!({ "link": "table" }));
    let ran = lab.apply().await;
    assert_eq!(ran.failure(), "group: db uses group");
    assert!(ran.hint().contains("another key"), "{}", ran.hint());
}

#[tokio::test(start_paused = true)]
async fn no_more_run_at_once_than_asked_for() {
    for (parallelism, seconds) in [(1, 12), (3, 4), (100, 1)] {
        let mut lab = Lab::new();
        for number in 0..12 {
            let key = format!("toy{number:02}");
            lab.want(&key, json!({}));
            lab.toy.nature(&key, Nature { slow: SECOND, ..Nature::default() });
        }
        let start = Instant::now();
        lab.run(lab.plan().await, parallelism, &Stop::default()).await.complete();
        let took = start.elapsed().as_secs_f64();
        assert_eq!(lab.toy.cloud.borrow().busiest, parallelism.min(12));
        assert!(took < f64::from(seconds) * 1.2, "{parallelism} at once took {took} s");
    }
}

#[tokio::test(start_paused = true)]
async fn what_most_waits_for_comes_first() {
    let mut lab = Lab::new();
    lab.want("alone", json!({}));
    lab.want("first", json!({})).want("second", json!({ "link": "first" }));
    lab.want("third", json!({ "link": "second" }));
    lab.run(lab.plan().await, 1, &Stop::default()).await.complete();
    let order = ["create first", "create second", "create alone", "create third"];
    assert_eq!(lab.toy.calls("create"), order);
}

#[tokio::test(start_paused = true)]
async fn an_apply_takes_as_long_as_its_longest_chain() {
    let mut lab = Lab::new();
    lab.want("db", json!({})).want("seed", json!({ "link": "db" }));
    lab.toy.nature("db", Nature { pending: 10 * MINUTE, ..Nature::default() });
    for number in 0..30 {
        let key = format!("toy{number:02}");
        lab.want(&key, json!({}));
        lab.toy.nature(&key, Nature { pending: 5 * MINUTE, ..Nature::default() });
    }
    let start = Instant::now();
    lab.apply().await.complete();
    let took = start.elapsed();
    assert!(took < 10 * MINUTE + 20 * SECOND, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn after_a_stop_nothing_new_starts() {
    let mut lab = Lab::new();
    for number in 0..9 {
        let key = format!("toy{number}");
        lab.want(&key, json!({}));
        // The last ones take long to come up.
        let pending = if number < 2 { Duration::ZERO } else { MINUTE };
        lab.toy.nature(&key, Nature { pending, ..Nature::default() });
    }
    let stop = Stop::default();
    let plan = lab.plan().await;
    let since = Instant::now();
    let started = RefCell::new(Vec::new());
    let watch = |line: &str| {
        if line.starts_with("started") {
            started.borrow_mut().push(line.to_owned());
            if started.borrow().len() == 3 {
                stop.request();
            }
        }
    };
    let ran = lab.run_watched(plan, 4, &stop, &watch).await;
    assert!(ran.outcome.stopped);
    assert!(since.elapsed() < SECOND, "it doesn't wait for what comes up: {:?}", since.elapsed());
    assert!(started.borrow().len() <= 4, "{started:?}");
    assert_eq!(ran.done(), ["toy0", "toy1"].into(), "calls in flight finish");
    let unfinished: Vec<_> = ran.outcome.unfinished.values().map(String::as_str).collect();
    assert!(unfinished.iter().all(|what| what.contains("creating")), "{unfinished:?}");
    assert_eq!(ran.done().len() + unfinished.len() + ran.skipped().len(), 9);
    assert!(ran.told.contains(&"skipped toy8".to_owned()));
    lab.apply().await.complete();
    Lab::is_settled(&lab.plan().await);
}

#[tokio::test(start_paused = true)]
async fn one_that_cannot_be_read_does_not_hold_up_its_neighbours() {
    let mut lab = Lab::new();
    lab.want("bad", json!({ "size": 1 })).want("good", json!({ "size": 1 }));
    lab.apply().await.complete();
    lab.want("bad", json!({ "size": 2 })).want("good", json!({ "size": 2 }));
    let plan = lab.plan().await;
    let faults = faults("read", &refuse(Class::Terminal, 99));
    lab.toy.nature("bad", Nature { faults, ..Nature::default() });
    let ran = lab.run(plan, 10, &Stop::default()).await;
    assert_eq!(ran.failure(), "bad: read refused");
    assert_eq!(ran.done(), BTreeSet::from(["good"]));
}

/// Anything that may happen to one toy.
fn any_nature() -> impl Strategy<Value = Nature> {
    let class = prop_oneof![Just(Class::Throttled), Just(Class::Transient), Just(Class::Busy)];
    let fault = prop_oneof![class.prop_map(Fault::Refuse), Just(Fault::Lose)];
    let verb = prop_oneof![Just("create"), Just("update"), Just("delete")];
    let faults = prop::collection::btree_map(
        verb,
        prop::collection::vec(fault, 0..3).prop_map(VecDeque::from),
        0..3,
    );
    let time = |most: u64| (0..most).prop_map(Duration::from_secs);
    let comes_with = prop_oneof![
        Just(BTreeMap::new()),
        Just(BTreeMap::from([("colour", json!("white")), ("size", json!(0))])),
    ];
    (time(4), time(300), time(30), time(30), time(60), comes_with, faults).prop_map(
        |(slow, pending, hidden, stale, leaving, comes_with, faults)| Nature {
            slow,
            pending,
            hidden,
            stale,
            leaving,
            comes_with,
            faults,
            ..Nature::default()
        },
    )
}

/// A stack of toys: of each its size, its zone, and whether it is there.
type Toys = Vec<(u8, bool, bool)>;

fn any_toys() -> impl Strategy<Value = Toys> {
    prop::collection::vec((0_u8..4, any::<bool>(), prop::bool::weighted(0.8)), 7)
}

/// Wants the toys; each lives in the one that `homes` says, and isn't there without it.
fn want(lab: &mut Lab, toys: &Toys, homes: &[Option<usize>]) -> BTreeMap<String, u8> {
    let mut there: BTreeMap<String, u8> = BTreeMap::new();
    for (number, (size, zone, present)) in toys.iter().enumerate() {
        let key = format!("toy{number}");
        lab.drop(&key);
        let home = homes[number].filter(|home| *home < number).map(|home| format!("toy{home}"));
        if !present || home.as_ref().is_some_and(|home| !there.contains_key(home)) {
            continue;
        }
        lab.want(
            &key,
            json!({ "size": size, "zone": if *zone { "a" } else { "b" }, "home": home }),
        );
        there.insert(key, *size);
    }
    there
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 150, failure_persistence: None, ..ProptestConfig::default()
    })]

    /// Killed whenever it may be, from any stack to any other, in the worst of clouds: run again,
    /// it converges, the plan is empty, and nothing is doubled or left.
    #[test]
    fn whatever_interrupts_it_the_next_run_converges(
        before in any_toys(),
        after in any_toys(),
        homes in prop::collection::vec(prop::option::of(0_usize..6), 7),
        natures in prop::collection::vec(any_nature(), 7),
        kills in prop::collection::vec(0_u64..400_000, 0..5),
        parallelism in 1_usize..6,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let mut lab = Lab::new();
            want(&mut lab, &before, &homes);
            lab.apply().await.complete();
            for (number, nature) in natures.into_iter().enumerate() {
                lab.toy.nature(&format!("toy{number}"), nature);
            }
            let wanted = want(&mut lab, &after, &homes);
            for kill in kills {
                lab.apply_killed_after(Duration::from_millis(kill)).await;
            }
            let mut runs = 0;
            loop {
                // A read right after a kill may be stale, and a plan made of it may find the world
                // changed; what the engine promises is that the next run goes on.
                tokio::time::sleep(MINUTE * 2).await;
                let plan = lab.plan().await;
                if plan.steps.is_empty() {
                    break;
                }
                let ran = lab.run(plan, parallelism, &Stop::default()).await;
                runs += 1;
                assert!(runs < 4, "{:?} {:?}", ran.told, ran.outcome.failed);
            }
            let size = |key: String| (lab.toy.has(&key).expect("it is there")["size"].clone(), key);
            let there: Vec<_> = lab.toy.names().into_iter().map(size).collect();
            let wanted: Vec<_> = wanted.into_iter().map(|(key, size)| (json!(size), key)).collect();
            assert_eq!(there, wanted);
            lab.run(lab.plan_destroy().await, parallelism, &Stop::default()).await.complete();
            assert!(lab.toy.names().is_empty());
        });
    }
}
