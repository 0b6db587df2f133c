//! Limits of groups and scopes, and limits that are learned.

use super::*;
use crate::key::Fingerprint;
use crate::limits::Limits;
use crate::outcome::Reason;
use crate::policy::{Policy, Rule};
use crate::stats::{KeyState, KeyStats};
use crate::store::Usage;

fn in_group(names: &[&str], group: &str) -> Vec<KeyConfig> {
    names.iter().map(|name| KeyConfig::new(*name).group(group)).collect()
}

fn within(scope: ScopeId) -> Wanted<'static> {
    Wanted { scope, ..Wanted::plain(1) }
}

fn throttled(seconds: u64) -> Verdict {
    Verdict::Failure(Failure::status(429).with_retry_after(Duration::from_secs(seconds)))
}

#[test]
fn keys_of_one_group_share_their_requests_a_minute() {
    let mut configs: Vec<_> = in_group(&["a-1", "a-2", "a-3"], "a").into_iter().map(|key| key.rpm(2)).collect();
    configs.push(KeyConfig::new("alone").rpm(2));
    let bench = Bench::new(configs);
    let used: Vec<String> = (0..4).map(|_| bench.take().keys.key().expose_secret().to_owned()).collect();
    assert_eq!(used.iter().filter(|key| key.starts_with("a-")).count(), 2, "{used:?}");
    let shortage = bench.pool.checkout(&Wanted::plain(1)).unwrap_err();
    assert_eq!((shortage.parked, shortage.busy), (4, 0), "all of them wait for the minute");
    bench.clock.advance(Duration::from_millis(60_190));
    assert!(bench.pool.checkout(&Wanted::plain(1)).is_ok());
}

#[test]
fn the_lowest_limit_in_a_group_is_that_of_the_group() {
    let bench = Bench::new([KeyConfig::new("a-1").group("a").rpm(5), KeyConfig::new("a-2").group("a").rpm(3)]);
    for _ in 0..3 {
        bench.take();
    }
    assert!(bench.pool.checkout(&Wanted::plain(1)).is_err());
    let stats = bench.pool.stats();
    for key in &stats.keys {
        assert_eq!((key.limits.rpm.unwrap().get(), key.used_in_minute), (3, Some(3)));
    }
}

#[test]
fn keys_of_one_group_share_their_calls_at_once() {
    let configs = in_group(&["a-1", "a-2"], "a").into_iter().map(|key| key.concurrency(3));
    let bench = Bench::new(configs);
    let taken: Vec<_> = (0..3).map(|_| bench.take()).collect();
    let shortage = bench.pool.checkout(&Wanted::plain(1)).unwrap_err();
    assert_eq!((shortage.parked, shortage.busy), (0, 2));
    assert!(bench.pool.stats().keys.iter().all(|key| key.state == KeyState::Busy));
    bench.end(&taken[0], &Verdict::Success);
    bench.take();
    assert!(bench.pool.checkout(&Wanted::plain(1)).is_err());
}

#[test]
fn a_quota_that_is_spent_for_one_key_is_for_its_whole_group() {
    let mut configs = in_group(&["a-1", "a-2", "a-3"], "a");
    configs.push(KeyConfig::new("b"));
    let bench = Bench::new(configs);
    let taken = loop {
        let taken = bench.take();
        if taken.keys.key().expose_secret() != "b" {
            break taken;
        }
    };
    let wrote = bench.drain().len();
    assert!(wrote > 0);
    bench.end(&taken, &throttled(30));
    let stats = bench.pool.stats();
    let cooling = stats.keys.iter().filter(|key| key.state == KeyState::CoolingDown).count();
    assert_eq!((cooling, stats.available()), (3, 1));
    assert_eq!(stats.keys.iter().filter(|key| key.health.factor() < 1.0).count(), 1, "one key loses its share");
    let told = bench.drain();
    assert_eq!(told.iter().filter(|change| change.state.health.cooldown_until.is_some()).count(), 3, "on disk too");
    bench.clock.advance(Duration::from_secs(30));
    assert_eq!(bench.pool.stats().available(), 4);
}

#[test]
fn a_rest_that_is_over_is_not_handed_on_to_the_group() {
    // A 429 that says how long to wait rests the key; then comes one that no rule is for.
    let policy = Policy::default().on(Reason::RateLimited, Rule::count());
    let bench = Bench::with(in_group(&["a-1", "a-2"], "a"), Vec::new(), Settings { policy, ..settings() });
    let first = bench.call(&Verdict::status(403));
    bench.clock.advance(24 * 3600 * SECOND);
    let taken = (0..2).map(|_| bench.take()).find(|taken| id(taken) == first).unwrap();
    bench.end(&taken, &throttled(30));
    let rested = bench.pool.stats().keys.iter().filter(|key| key.health.cooldown_until.is_some()).count();
    assert_eq!(rested, 1, "the one that was forbidden something");
}

#[test]
fn the_group_waits_as_long_as_a_429_says_and_not_as_long_as_its_key_waits_for_something_else() {
    let bench = Bench::new(in_group(&["a-1", "a-2"], "a"));
    let taken: Vec<_> = (0..3).map(|_| bench.take()).collect();
    bench.end(&taken[0], &Verdict::status(403));
    let refused = id(&taken[0]);
    let alone = taken.iter().skip(1).find(|taken| id(taken) == refused).unwrap();
    bench.end(alone, &throttled(10));
    assert_eq!(bench.pool.stats().available(), 0);
    bench.clock.advance(10 * SECOND);
    let left = |key: &KeyStats| key.state == KeyState::CoolingDown;
    assert_eq!(bench.pool.stats().keys.iter().filter(|key| left(key)).count(), 1, "for what it was forbidden");
}

#[test]
fn within_a_scope_the_group_rests_for_that_scope() {
    let bench = Bench::new(in_group(&["a-1", "a-2"], "a"));
    let pro = bench.pool.scope("pro");
    let taken = bench.pool.checkout(&within(pro)).ok().unwrap();
    bench.end_in(pro, &taken, &throttled(30));
    assert!(bench.pool.checkout(&within(pro)).is_err());
    assert_eq!(bench.pool.stats().available(), 2);
    assert!(bench.pool.checkout(&Wanted::plain(2)).is_ok());
}

#[test]
fn a_failure_that_is_no_quota_stays_with_its_key() {
    for verdict in [Verdict::status(403), Verdict::status(401)] {
        let bench = Bench::new(in_group(&["a-1", "a-2"], "a"));
        let taken = bench.take();
        bench.end(&taken, &verdict);
        assert_eq!(bench.pool.stats().available(), 1, "{verdict:?}");
    }
}

#[test]
fn a_key_that_changes_its_group_takes_its_health_along_and_leaves_its_use_behind() {
    let config = |group: Option<&str>| {
        let key = KeyConfig::new("moves").rpm(2);
        [group.into_iter().fold(key, KeyConfig::group), KeyConfig::new("stays").group("a").rpm(2)]
    };
    let bench = Bench::new(config(Some("a")));
    let taken = bench.pool.checkout(&Wanted::plain(2)).ok().unwrap();
    bench.end(&taken, &Verdict::status(500));
    assert!(bench.pool.checkout(&Wanted::plain(1)).is_err(), "two uses of two");
    assert_eq!(bench.reload(config(None).into()).changed, 1);
    let free = bench.take();
    assert_eq!(free.keys.key().expose_secret(), "moves");
    assert!(bench.pool.stats().keys[0].health.factor() < 1.0);
    assert!(bench.pool.checkout(&Wanted::plain(2)).is_err());
    // A call that runs during the move ends as any other.
    bench.reload(config(Some("a")).into());
    bench.end(&free, &Verdict::status(401));
    let stats = bench.pool.stats();
    assert_eq!((stats.disabled(), stats.keys[0].in_flight), (1, 0));
}

#[test]
fn what_a_key_used_before_it_comes_to_a_group_counts_there() {
    let config = |group: Option<&str>| {
        let key = KeyConfig::new("comes").rpm(3).rpd(20);
        vec![group.into_iter().fold(key, KeyConfig::group), KeyConfig::new("is-there").group("a").rpm(3).rpd(20)]
    };
    let bench = Bench::new(config(None));
    drop(bench.pool.checkout(&Wanted::plain(2)).ok().unwrap());
    bench.take();
    assert_eq!(bench.reload(config(Some("a"))).changed, 1);
    let used = || bench.pool.stats().keys.into_iter().map(|key| (key.used_in_minute, key.used_today));
    assert_eq!(used().collect::<Vec<_>>(), [(Some(3), Some(3)); 2]);
    assert!(bench.pool.checkout(&Wanted::plain(1)).is_err());
    // It is the group's now, whoever leaves.
    bench.reload(config(None));
    assert_eq!(used().collect::<Vec<_>>(), [(Some(0), Some(0)), (Some(3), Some(3))]);
}

#[test]
fn what_a_key_used_before_it_was_removed_counts_in_the_group_that_it_comes_back_to() {
    let bench = Bench::new([KeyConfig::new("comes-back").rpm(1)]);
    bench.take();
    bench.reload(vec![]);
    bench.reload(vec![KeyConfig::new("comes-back").group("a").rpm(1), KeyConfig::new("new").group("a").rpm(1)]);
    assert!(bench.pool.checkout(&Wanted::plain(1)).is_err());
}

#[test]
fn what_the_store_knows_of_a_key_is_not_added_to_what_it_knows_of_its_group() {
    let key = Key::from("comes-back").fingerprint();
    let used = |holder, uses| Usage {
        holder,
        scope: None,
        uses: vec![(SystemTime::now(), uses)],
        day: None,
        learned: None,
        tokens: None,
    };
    let usage = vec![used(Fingerprint::of_group("a"), 5), used(key, 3)];
    let configs = ["comes-back", "stays"].map(|name| KeyConfig::new(name).group("a").rpm(20));
    let bench = Bench::with(configs.clone(), Vec::new(), Settings { usage, ..settings() });
    let in_minute = |at: usize| bench.pool.stats().keys[at].used_in_minute;
    assert_eq!(in_minute(0), Some(5));
    bench.reload(configs[1..].to_vec());
    bench.reload(configs.to_vec());
    assert_eq!((in_minute(0), in_minute(1)), (Some(5), Some(5)), "nor when it comes back");
}

#[test]
fn a_scope_has_limits_of_its_own() {
    let scope_limits = vec![("pro".to_owned(), Limits::default().with_rpm(1))];
    let bench = Bench::with([KeyConfig::new("a").rpm(3)], Vec::new(), Settings { scope_limits, ..settings() });
    let (pro, flash) = (bench.pool.scope("pro"), bench.pool.scope("flash"));
    assert!(bench.pool.checkout(&within(pro)).is_ok());
    assert!(bench.pool.checkout(&within(pro)).is_err());
    assert!(bench.pool.checkout(&within(flash)).is_ok());
    assert!(bench.pool.checkout(&within(NO_SCOPE)).is_ok());
    assert!(bench.pool.checkout(&within(flash)).is_err(), "three in all");
    let scopes = &bench.pool.stats().keys[0].scopes;
    assert_eq!(scopes.len(), 1);
    assert_eq!((scopes[0].scope.as_str(), scopes[0].used_in_minute), ("pro", Some(1)));
}

#[test]
fn a_scope_limits_its_calls_at_once() {
    let scope_limits = vec![("pro".to_owned(), Limits::default().with_concurrency(1))];
    let bench = Bench::with(keys(1), Vec::new(), Settings { scope_limits, ..settings() });
    let pro = bench.pool.scope("pro");
    let first = bench.pool.checkout(&within(pro)).ok().unwrap();
    assert!(bench.pool.checkout(&within(pro)).is_err());
    let other = bench.take();
    bench.end(&other, &Verdict::Success);
    assert!(bench.pool.checkout(&within(pro)).is_err(), "it was another scope's");
    bench.end_in(pro, &first, &Verdict::Success);
    assert!(bench.pool.checkout(&within(pro)).is_ok());
}

#[test]
fn a_429_teaches_the_limit_of_the_key() {
    let bench = Bench::learning(keys(1));
    for _ in 0..5 {
        let taken = bench.take();
        bench.end(&taken, &Verdict::Success);
    }
    let taken = bench.take();
    bench.end(&taken, &throttled(60));
    assert_eq!(bench.pool.stats().keys[0].learned_rpm, Some(5));
    bench.clock.advance(Duration::from_secs(61));
    for _ in 0..5 {
        let taken = bench.take();
        bench.end(&taken, &Verdict::Success);
    }
    assert!(bench.pool.checkout(&Wanted::plain(1)).is_err());
}

#[test]
fn nothing_is_learned_when_that_is_switched_off() {
    let bench = Bench::new(keys(1));
    let taken: Vec<_> = (0..6).map(|_| bench.take()).collect();
    bench.end(&taken[5], &throttled(60));
    let stats = bench.pool.stats();
    assert_eq!((stats.keys[0].learned_rpm, stats.keys[0].used_in_minute), (None, None));
}

#[test]
fn a_learned_limit_is_tried_when_no_other_key_is_free_and_grows_when_that_goes_well() {
    let bench = Bench::learning(keys(1));
    let one_more = || {
        let taken = bench.pool.checkout(&Wanted::plain(1)).ok()?;
        bench.end(&taken, &Verdict::Success);
        Some(())
    };
    for _ in 0..5 {
        one_more().unwrap();
    }
    let taken = bench.take();
    bench.end(&taken, &throttled(60));
    bench.clock.advance(Duration::from_secs(11 * 60));
    assert_eq!((0..9).filter_map(|_| one_more()).count(), 6, "five, and a probe");
    assert_eq!(bench.pool.stats().keys[0].learned_rpm, Some(6));
    assert!(one_more().is_none(), "not at once");
    bench.clock.advance(Duration::from_secs(1));
    assert!(one_more().is_some(), "what went well is followed by more");
    // The server has enough.
    bench.clock.advance(Duration::from_secs(1));
    let probe = bench.take();
    bench.end(&probe, &throttled(60));
    assert_eq!(bench.pool.stats().keys[0].learned_rpm, Some(7));
    bench.clock.advance(Duration::from_secs(120));
    assert_eq!((0..9).filter_map(|_| one_more()).count(), 7, "no probe for a while");
}

#[test]
fn no_key_is_probed_while_another_is_free() {
    let bench = Bench::learning(keys(2));
    let (first, second) = (bench.take(), bench.take());
    bench.end(&first, &Verdict::Success);
    let again = bench.take();
    assert_eq!(again.keys.key(), first.keys.key());
    bench.end(&again, &throttled(1));
    bench.end(&second, &Verdict::Success);
    assert_eq!(bench.pool.stats().keys.iter().filter(|key| key.learned_rpm.is_some()).count(), 0, "too short a wait");
    bench.clock.advance(Duration::from_secs(1));
    let again =
        bench.pool.checkout(&Wanted { excluded: &[second.keys.slots()[0].id], ..Wanted::plain(1) }).ok().unwrap();
    bench.end(&again, &throttled(60));
    bench.clock.advance(Duration::from_secs(60));
    for _ in 0..20 {
        let taken = bench.take();
        bench.end(&taken, &Verdict::Success);
    }
    let calls: Vec<u64> = bench.pool.stats().keys.iter().map(|key| key.successes).collect();
    assert_eq!(calls.iter().sum::<u64>(), 22);
    assert!(calls.contains(&2), "{calls:?}");
}

#[test]
fn a_call_with_several_keys_teaches_nothing() {
    let bench = Bench::learning(keys(2));
    for _ in 0..4 {
        let taken = bench.pool.checkout(&Wanted::plain(2)).ok().unwrap();
        bench.end(&taken, &Verdict::Success);
    }
    let taken = bench.pool.checkout(&Wanted::plain(2)).ok().unwrap();
    bench.end(&taken, &Verdict::Failure(Failure::new(Reason::RateLimited)));
    assert!(bench.pool.stats().keys.iter().all(|key| key.learned_rpm.is_none()));
}

#[test]
fn tokens_that_a_call_spent_hold_the_key_back() {
    let bench = Bench::new([KeyConfig::new("a").tpm(1_000)]);
    let taken = bench.take();
    bench.pool.spent(taken.keys.slots(), taken.serial, NO_SCOPE, 1_000);
    assert!(bench.pool.checkout(&Wanted::plain(1)).is_err());
    bench.pool.spent(taken.keys.slots(), taken.serial, NO_SCOPE, 10);
    assert!(bench.pool.checkout(&Wanted::plain(1)).is_ok(), "the last word counts");
}

#[test]
fn tokens_of_a_call_with_several_keys_of_one_group_are_those_of_all() {
    let (grouped, tokens) = (
        |name: &str| KeyConfig::new(name).group("project").tpm(1_000),
        |bench: &Bench| bench.pool.stats().keys.iter().map(|key| key.tokens_in_minute.unwrap()).collect::<Vec<_>>(),
    );
    let bench = Bench::new([grouped("a"), grouped("b"), KeyConfig::new("c").tpm(1_000)]);
    let taken = bench.pool.checkout(&Wanted::plain(3)).unwrap();
    for share in [300, 400] {
        bench.pool.spent(taken.keys.slots(), taken.serial, NO_SCOPE, share);
        assert_eq!(tokens(&bench), [2 * share, 2 * share, share], "the last word counts");
    }
    assert_eq!(bench.state(2), KeyState::Available);
    assert!(bench.pool.checkout(&Wanted::plain(2)).is_err(), "of the group's 1,000 no 400 are left");
}

#[test]
fn a_use_counts_no_shorter_for_a_key_that_was_put_back() {
    for bench in [Bench::new(keys(1)), Bench::without_store(keys(1))] {
        let with = || vec![KeyConfig::new("a").rpm(1), KeyConfig::new("b").rpm(1)];
        let available = || bench.pool.stats().available();
        bench.reload(with());
        bench.call(&Verdict::Success);
        bench.call(&Verdict::Success);
        bench.clock.advance(Duration::from_millis(60_001));
        bench.reload(with().split_off(1));
        bench.reload(with());
        assert_eq!(available(), 0);
        bench.clock.advance(Duration::from_millis(190));
        assert_eq!(available(), 2);
    }
}

#[test]
fn a_key_is_watched_no_longer_than_there_is_something_to_hear() {
    let bench = Bench::learning(keys(1));
    let taken: Vec<_> = (0..3).map(|_| bench.take()).collect();
    bench.end(&taken[2], &throttled(60));
    assert!(bench.pool.state.lock().entry(0).traits.is_watched(), "two calls are running");
    // They are never heard of.
    bench.clock.advance(Duration::from_secs(600));
    let taken = bench.take();
    bench.end(&taken, &Verdict::Success);
    assert!(!bench.pool.state.lock().entry(0).traits.is_watched());
}

/// Keys whose learned limit of one call is used up, and could be probed.
fn to_be_probed(configs: Vec<KeyConfig>) -> Bench {
    let bench = Bench::learning(configs);
    let count = bench.pool.stats().total();
    let first: Vec<_> = (0..count).map(|_| bench.take()).collect();
    for taken in &first {
        bench.end(taken, &Verdict::Success);
    }
    for _ in 0..count {
        let taken = bench.take();
        bench.end(&taken, &throttled(60));
    }
    bench.clock.advance(Duration::from_secs(11 * 60));
    (0..count).for_each(|_| drop(bench.take()));
    bench
}

#[test]
fn a_probe_is_none_of_the_keys_that_the_call_has_tried() {
    let bench = to_be_probed(keys(2).collect());
    let tried = [0];
    let probe = bench.pool.checkout(&Wanted { excluded: &tried, ..Wanted::plain(1) }).ok().unwrap();
    assert_eq!(id(&probe), 1);
}

#[test]
fn a_key_that_rests_or_is_busy_is_not_probed() {
    let bench = to_be_probed(keys(1).collect());
    bench.pool.report(bench.pool.stats().keys[0].fingerprint, &Verdict::status(403)).unwrap();
    assert!(bench.pool.checkout(&Wanted::plain(1)).is_err(), "it rests");

    let limited_to = |calls| to_be_probed(keys(1).map(|key| key.concurrency(calls)).collect());
    assert!(limited_to(1).pool.checkout(&Wanted::plain(1)).is_err(), "a call runs");
    assert!(limited_to(2).pool.checkout(&Wanted::plain(1)).is_ok());
}
