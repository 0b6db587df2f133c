//! What was used of limits outlives the process and is shared between processes, key by key and group by group.

use std::path::Path;
use std::time::Duration;

use egb::{Balancer, BalancerBuilder, Error, Failure, KeyConfig, KeyState, Limits, ManualClock, Reason};
use egb_tests::eventually;

const MINUTE: Duration = Duration::from_millis(60_190);

struct Ground {
    folder: egb_tests::Scratch,
    clock: ManualClock,
}

impl Ground {
    fn new() -> Self {
        // Noon in California.
        let noon = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_464_000);
        Self { folder: egb_tests::tempdir().unwrap(), clock: ManualClock::at(noon) }
    }

    fn open(&self, configure: impl FnOnce(BalancerBuilder) -> BalancerBuilder) -> Balancer {
        let db: &Path = &self.folder.path().join("keys.db");
        configure(Balancer::builder().db(db).clock(self.clock.clone())).build().unwrap()
    }
}

/// Calls until no key is free.
fn use_up(balancer: &Balancer) -> usize {
    std::iter::repeat_with(|| balancer.lease()).map_while(Result::ok).map(egb::Lease::success).count()
}

#[test]
fn a_window_that_began_before_a_restart_is_kept_to() {
    let ground = Ground::new();
    let open = || ground.open(|builder| builder.keys(["test-key-1", "test-key-2"]).rpm(5));
    let balancer = open();
    for _ in 0..6 {
        balancer.lease().unwrap().success();
        ground.clock.advance(Duration::from_secs(1));
    }
    drop(balancer);
    ground.clock.advance(Duration::from_secs(10));
    let balancer = open();
    let used: Vec<_> = balancer.stats().keys.iter().map(|key| key.used_in_minute).collect();
    assert_eq!(used, [Some(3), Some(3)]);
    assert_eq!(use_up(&balancer), 4);
    let Err(Error::NoKeyFree { retry_after: Some(wait), .. }) = balancer.lease() else { panic!("10 of 10 are used") };
    let oldest = MINUTE.saturating_sub(Duration::from_secs(16));
    assert!(wait <= oldest && wait + Duration::from_millis(1) > oldest, "{wait:?}");
    ground.clock.advance(wait);
    assert_eq!(use_up(&balancer), 1);
}

#[test]
fn a_window_is_no_shorter_for_a_restart_as_the_minute_is_over() {
    let ground = Ground::new();
    let open = || ground.open(|builder| builder.key("test-key-1").rpm(1));
    let balancer = open();
    balancer.lease().unwrap().success();
    ground.clock.advance(MINUTE.saturating_sub(Duration::from_millis(189)));
    // What was used is written again with it.
    balancer.report(&"test-key-1".into(), 404);
    drop(balancer);
    assert_eq!(use_up(&open()), 0);
    ground.clock.advance(Duration::from_millis(189));
    assert_eq!(use_up(&open()), 1);
}

#[test]
fn a_day_goes_on_after_a_restart_and_ends_at_midnight() {
    let ground = Ground::new();
    let open = || ground.open(|builder| builder.key("test-key-1").rpd(5));
    let balancer = open();
    for _ in 0..3 {
        balancer.lease().unwrap().success();
    }
    drop(balancer);
    ground.clock.advance(Duration::from_secs(3600));
    let balancer = open();
    assert_eq!((balancer.stats().keys[0].used_today, use_up(&balancer)), (Some(3), 2));
    assert!(matches!(balancer.stats().keys[0].state, KeyState::Limited { .. }));
    drop(balancer);
    ground.clock.advance(Duration::from_secs(11 * 3600));
    assert_eq!(use_up(&open()), 5, "midnight has passed");
}

#[test]
fn a_day_ends_at_midnight_of_the_time_zone_that_is_named() {
    let hour = Duration::from_secs(3600);
    for (zone, hours) in [("Europe/Berlin", 3), ("UTC", 4), ("America/Los_Angeles", 12)] {
        // 20:00 UTC.
        let ground = Ground::new();
        let balancer = ground.open(|builder| builder.key("test-key-1").rpd(1).time_zone(zone));
        balancer.lease().unwrap().success();
        assert_eq!(balancer.lease().unwrap_err().retry_after(), Some(hours * hour), "{zone}");
        // Without a limit the server says so, and again.
        let asking = Balancer::builder().key("test-key-1").time_zone(zone).clock(ground.clock.clone()).build().unwrap();
        for wait in [2, hours.min(4)] {
            let spent = Failure::status(429).with_reason(Reason::DailyQuota).with_retry_after(2 * hour);
            asking.report(&"test-key-1".into(), spent);
            assert_eq!(asking.lease().unwrap_err().retry_after(), Some(wait * hour), "{zone}");
        }
    }
}

#[test]
fn tokens_that_were_spent_before_a_restart_count_and_so_does_what_calls_spend_on_average() {
    let ground = Ground::new();
    let open = || {
        let limits = Limits::default().with_tpm(500);
        ground.open(|builder| builder.key("test-key-1").tpm(1_000).scope_limits("model", limits))
    };
    let balancer = open();
    for tokens in [200, 200] {
        let lease = balancer.checkout().scope("model").lease().unwrap();
        lease.spent(tokens);
        lease.success();
        ground.clock.advance(Duration::from_secs(20));
    }
    drop(balancer);
    let balancer = open();
    let stats = balancer.stats();
    assert_eq!((stats.keys[0].tokens_in_minute, stats.keys[0].scopes[0].tokens_in_minute), (Some(400), Some(400)));
    assert!(balancer.checkout().scope("model").lease().is_err());
    ground.clock.advance(Duration::from_secs(21));
    let (first, second) = (balancer.lease().unwrap(), balancer.lease().unwrap());
    assert_eq!(balancer.stats().keys[0].tokens_in_minute, Some(200 + 2 * 200), "the first 200 are a minute ago");
    first.success();
    second.success();
    drop(balancer);
    let unlimited = ground.open(|builder| builder.key("test-key-1"));
    assert_eq!(unlimited.stats().keys[0].tokens_in_minute, None);
}

#[test]
fn tokens_that_are_said_late_are_on_disk_at_the_next_flush_and_count_for_a_key_that_was_put_back() {
    let ground = Ground::new();
    let open = || ground.open(|builder| builder.key(KeyConfig::new("test-key-1").tpm(1000)));
    let tokens = |balancer: &Balancer| balancer.stats().keys[0].tokens_in_minute;
    let balancer = open();
    let key = balancer.key().unwrap();
    balancer.flush().unwrap();
    balancer.spent(&key, 900);
    balancer.flush().unwrap();
    assert_eq!(tokens(&open()), Some(900));
    drop(balancer);

    let balancer = Balancer::builder().key("test-key-2").clock(ground.clock.clone()).build().unwrap();
    let (key, added) = (egb::Key::from("test-key-3"), || KeyConfig::new("test-key-3").tpm(1000));
    balancer.add(added()).unwrap();
    let lease = std::iter::repeat_with(|| balancer.lease().unwrap()).find(|lease| *lease.key() == key).unwrap();
    balancer.remove(&key).unwrap();
    balancer.add(added()).unwrap();
    lease.spent(900);
    assert_eq!(balancer.stats().keys[1].tokens_in_minute, Some(900));
}

#[test]
fn what_was_learned_is_known_after_a_restart() {
    let ground = Ground::new();
    let open = || ground.open(|builder| builder.key("test-key-1"));
    let balancer = open();
    for _ in 0..7 {
        balancer.lease().unwrap().success();
    }
    balancer.lease().unwrap().end(Failure::status(429).with_retry_after(MINUTE));
    assert_eq!(balancer.stats().keys[0].learned_rpm, Some(7));
    drop(balancer);
    ground.clock.advance(MINUTE);
    let balancer = open();
    assert_eq!((balancer.stats().keys[0].learned_rpm, use_up(&balancer)), (Some(7), 8), "seven, and a probe");
    drop(balancer);
    let fixed = ground.open(|builder| builder.key("test-key-1").learn_limits(false));
    assert_eq!(fixed.stats().keys[0].learned_rpm, None);
}

#[test]
fn groups_and_scopes_are_restored_too() {
    let ground = Ground::new();
    let open = || {
        ground.open(|builder| {
            builder
                .key(KeyConfig::new("test-key-1").group("project").rpm(4))
                .key(KeyConfig::new("test-key-2").group("project"))
                .scope_limits("pro", Limits::default().with_rpm(1))
        })
    };
    let balancer = open();
    balancer.checkout().scope("pro").lease().unwrap().success();
    balancer.lease().unwrap().success();
    drop(balancer);
    let balancer = open();
    assert!(balancer.checkout().scope("pro").lease().is_err());
    assert_eq!(use_up(&balancer), 2, "four in all");
    let pro = &balancer.stats().keys[1].scopes[0];
    assert_eq!((pro.scope.as_str(), pro.limits.rpm.unwrap().get(), pro.used_in_minute), ("pro", 1, Some(1)));
}

#[test]
fn a_wall_clock_that_was_ahead_blocks_no_key_for_longer_than_its_limits() {
    let ground = Ground::new();
    let open = || ground.open(|builder| builder.key("test-key-1").rpm(2).rpd(10));
    let year = Duration::from_secs(365 * 24 * 3600);
    ground.clock.set_utc(egb::Clock::utc(&ground.clock) + year);
    let balancer = open();
    assert_eq!(use_up(&balancer), 2);
    drop(balancer);
    ground.clock.set_utc(egb::Clock::utc(&ground.clock) - year);
    let balancer = open();
    assert_eq!(use_up(&balancer), 0);
    ground.clock.advance(MINUTE);
    assert_eq!(use_up(&balancer), 2);
    assert_eq!(balancer.stats().keys[0].used_today, Some(4));
    ground.clock.advance(Duration::from_secs(12 * 3600));
    assert_eq!(balancer.stats().keys[0].used_today, Some(0));
}

#[test]
fn calls_of_another_process_count_against_the_limits() {
    let ground = Ground::new();
    let open = || ground.open(|builder| builder.key(KeyConfig::new("test-key-1").group("project")).key("x").rpm(5));
    let (one, other) = (open(), open());
    assert_eq!(use_up(&one), 10);
    one.flush().unwrap();
    let used = || other.stats().keys.into_iter().map(|key| key.used_in_minute);
    eventually("the news of the other's calls", || used().eq([Some(5), Some(5)]));
    assert!(other.lease().is_err());
    assert_eq!(one.stats().keys[0].used_in_minute, Some(5), "its own calls do not come back to it");
    ground.clock.advance(MINUTE);
    assert_eq!(use_up(&other), 10);
}

#[test]
fn what_keys_used_on_their_own_before_a_restart_counts_once_in_the_group_that_they_are_in_after_it() {
    let ground = Ground::new();
    let names = ["test-key-1", "test-key-2"];
    let alone = ground.open(|builder| builder.keys(names).rpm(5).rpd(20));
    assert_eq!(use_up(&alone), 10);
    drop(alone);
    let grouped = || {
        let keys = names.map(|name| KeyConfig::new(name).group("project"));
        ground.open(|builder| keys.into_iter().fold(builder, BalancerBuilder::key).rpm(15).rpd(20))
    };
    // The second has written what the group used, beside what the keys used.
    for (calls, used) in [(5, 10), (0, 15)] {
        let balancer = grouped();
        for key in balancer.stats().keys {
            assert_eq!((key.used_in_minute, key.used_today), (Some(used), Some(used)));
        }
        assert_eq!(use_up(&balancer), calls);
    }
    ground.clock.advance(MINUTE);
    assert_eq!(use_up(&grouped()), 5, "20 a day");
}

#[test]
fn a_key_that_was_never_used_has_used_nothing_of_its_limits() {
    let ground = Ground::new();
    let limits = Limits::default().with_rpm(2).with_tpm(50);
    let keys = || [KeyConfig::new("test-key-1"), KeyConfig::new("test-key-2").group("project")];
    let balancer = ground.open(|builder| {
        let builder = builder.key(KeyConfig::new("test-key-3").rpm(7)).rpd(100).tpm(1000);
        keys().into_iter().fold(builder, BalancerBuilder::key).scope_limits("model", limits)
    });
    let rows = balancer.stats().keys;
    for (row, in_minute) in rows.iter().zip([Some(0), None, None]) {
        assert_eq!((row.used_in_minute, row.peak_in_minute), (in_minute, in_minute));
        assert_eq!((row.used_today, row.tokens_in_minute), (Some(0), Some(0)));
        let [model] = &row.scopes[..] else { panic!("one scope has limits: {:?}", row.scopes) };
        assert_eq!((model.used_in_minute, model.used_today, model.tokens_in_minute), (Some(0), None, Some(0)));
    }
    // Tokens count before the first checkout.
    balancer.spent(&egb::Key::from("test-key-2"), 1000);
    let tokens: Vec<_> = balancer.stats().keys.iter().map(|key| key.tokens_in_minute).collect();
    assert_eq!(tokens, [Some(0), Some(0), Some(1000)]);
}

#[test]
fn a_call_that_runs_while_its_key_is_put_into_a_group_counts_against_the_limit_of_that() {
    let in_project = |name: &str| KeyConfig::new(name).group("project").concurrency(1);
    let balancer = Balancer::builder().key(in_project("test-key-1")).build().unwrap();
    balancer.add(KeyConfig::new("test-key-2")).unwrap();
    let mut leases = [(); 2].map(|()| balancer.lease().unwrap());
    leases.sort_by_key(|lease| lease.key().expose_secret().to_owned());
    let [other, moved] = leases;
    balancer.add(in_project("test-key-2")).unwrap();
    other.success();
    assert!(balancer.lease().is_err(), "a call of the project runs");
    moved.success();
    let next = balancer.lease().unwrap();
    assert!(balancer.lease().is_err(), "one at once");
    next.success();
}

#[test]
fn limits_that_make_no_sense_are_refused() {
    for limit in ["tpm", "rpm"] {
        let config = KeyConfig::new("test-key-1");
        let config = if limit == "tpm" { config.tpm(0) } else { config.rpm(0) };
        let error = Balancer::builder().key(config).build().unwrap_err();
        assert!(error.to_string().starts_with(&format!("the limit {limit} is 0; set a number above 0")), "{error}");
    }
    let error = Balancer::builder().key("k").scope_limits("", Limits::default()).build().unwrap_err();
    assert_eq!(
        error.to_string(),
        "the limits of a scope have an empty name; name the scope, or set limits for all calls with `rpm` and its like"
    );
    let error = Balancer::builder().key("k").time_zone("Mars/Olympus").build().unwrap_err();
    assert!(error.to_string().contains("the time zone \"Mars/Olympus\" is not in the IANA database"), "{error}");
}
