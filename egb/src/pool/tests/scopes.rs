//! What a scope keeps apart, and what it does not.

use super::*;
use crate::limits::Limits;
use crate::outcome::Reason;

impl Bench {
    fn take_in(&self, scope: ScopeId) -> Option<CheckedOut<Held>> {
        self.pool.checkout(&Wanted { scope, ..Wanted::plain(1) }).ok()
    }

    fn call_in(&self, scope: ScopeId, verdict: &Verdict) -> SlotId {
        let taken = self.take_in(scope).expect("a key is free");
        self.end_in(scope, &taken, verdict);
        id(&taken)
    }
}

#[test]
fn a_key_that_is_spent_for_one_model_serves_another() {
    let bench = Bench::new(keys(1));
    let (flash, pro) = (bench.pool.scope("flash"), bench.pool.scope("pro"));
    bench.call_in(flash, &throttled(60));
    assert!(bench.take_in(flash).is_none());
    bench.call_in(pro, &Verdict::Success);
    bench.call(&Verdict::Success);
    let key = &bench.pool.stats().keys[0];
    assert_eq!(key.state, KeyState::Available);
    assert_eq!(key.scopes[0].scope, "flash");
    assert_eq!((key.scopes.len(), key.failures, key.throttled), (1, 1, 1));
    bench.clock.advance(60 * SECOND);
    bench.call_in(flash, &Verdict::Success);
    bench.call_in(flash, &Verdict::Success);
    bench.call_in(flash, &Verdict::Success);
    assert_eq!(bench.pool.stats().keys[0].scopes.len(), 0, "it is in full health again");
}

#[test]
fn scopes_are_shown_by_name_whichever_was_heard_of_first() {
    let bench = Bench::new(keys(1));
    for scope in ["pro", "embedding", "flash"] {
        bench.call_in(bench.pool.scope(scope), &throttled(60));
    }
    let shown = bench.pool.stats().keys.remove(0).scopes;
    let shown: Vec<&str> = shown.iter().map(|scope| scope.scope.as_str()).collect();
    assert_eq!(shown, ["embedding", "flash", "pro"]);
}

#[test]
fn a_revoked_key_is_out_of_every_scope_and_so_is_one_that_rests_for_all_calls() {
    let bench = Bench::new(keys(2));
    let scope = bench.pool.scope("model");
    let revoked = bench.call_in(scope, &Verdict::status(401));
    assert_eq!(bench.pool.stats().disabled(), 1);
    assert_ne!(bench.call(&throttled(60)), revoked);
    assert!(bench.take_in(scope).is_none(), "one is revoked and the other rests");
    bench.clock.advance(60 * SECOND);
    assert!(bench.take_in(scope).is_some());
}

#[test]
fn a_model_that_a_key_may_not_use_rests_it_there_alone_and_never_disables_it() {
    let bench = Bench::new(keys(1));
    let scope = bench.pool.scope("model");
    let refused = Verdict::Failure(Failure::status(404).with_reason(Reason::Model));
    for _ in 0..5 {
        bench.call_in(scope, &refused);
        assert!(bench.take_in(scope).is_none());
        bench.clock.advance(3600 * SECOND);
    }
    assert_eq!(bench.state(0), KeyState::Available);
    assert_eq!(bench.pool.stats().disabled(), 0);
}

#[test]
fn each_scope_has_an_order_of_its_own() {
    let bench = Bench::new(keys(3));
    let scopes = [bench.pool.scope("a"), bench.pool.scope("b")];
    let mut orders = [Vec::new(), Vec::new()];
    for _ in 0..6 {
        for (scope, order) in scopes.iter().zip(&mut orders) {
            order.push(bench.call_in(*scope, &Verdict::Success));
        }
    }
    for order in orders {
        assert_eq!(order[..3], order[3..]);
        assert_eq!(order[..3].iter().collect::<HashSet<_>>().len(), 3);
    }
}

#[test]
fn limits_count_over_all_scopes() {
    let bench = Bench::new([KeyConfig::new("test-key-0").rpm(2), KeyConfig::new("test-key-1").concurrency(1)]);
    let (one, other) = (bench.pool.scope("a"), bench.pool.scope("b"));
    let mut taken = Vec::new();
    while let Some(next) = bench.take_in(if taken.len() % 2 == 0 { one } else { other }) {
        taken.push(next);
    }
    assert_eq!(taken.len(), 3, "two uses of the one key and one of the other");
    assert!(bench.take_in(NO_SCOPE).is_none());
    let busy = taken.iter().find(|taken| taken.keys.key().expose_secret() == "test-key-1").unwrap();
    bench.end_in(one, busy, &Verdict::Success);
    assert!(bench.take_in(other).is_some());
}

#[test]
fn a_half_open_key_is_probed_once_a_scope() {
    let bench = Bench::new(keys(1));
    let scope = bench.pool.scope("model");
    for _ in 0..5 {
        bench.call_in(scope, &Verdict::status(503));
    }
    assert!(bench.take_in(scope).is_none());
    bench.call(&Verdict::Success);
    bench.clock.advance(10 * SECOND);
    let probe = bench.take_in(scope).unwrap();
    assert!(bench.take_in(scope).is_none(), "one probe, however many callers");
    bench.end_in(scope, &probe, &Verdict::Success);
    assert!(bench.take_in(scope).is_some() && bench.take_in(scope).is_some());
}

#[test]
fn a_reset_enables_a_key_in_every_scope() {
    let bench = Bench::new(keys(1));
    let scope = bench.pool.scope("model");
    bench.call_in(scope, &throttled(3600));
    bench.pool.reset();
    assert!(bench.take_in(scope).is_some());
    assert!(bench.pool.stats().keys[0].scopes.is_empty());
}

#[test]
fn scopes_outlive_the_process_and_a_reset_clears_what_other_processes_stored() {
    let bench = Bench::new(keys(2));
    let scope = bench.pool.scope("model");
    let spent = bench.position(bench.call_in(scope, &throttled(3600)));
    let batch = bench.drain();
    let stored: Vec<Record> = batch.iter().map(stored).collect();
    assert_eq!(stored.iter().filter(|record| record.scope.is_some()).count(), 1);

    let restarted = Bench::restored(keys(2), stored.clone());
    let scope = restarted.pool.scope("model");
    for _ in 0..4 {
        assert_ne!(restarted.position(restarted.call_in(scope, &Verdict::Success)), spent);
    }

    let other = Bench::new(keys(2));
    other.pool.merge(&stored);
    let scope = other.pool.scope("model");
    assert_ne!(other.position(other.call_in(scope, &Verdict::Success)), spent);
    assert_ne!(other.position(other.call_in(scope, &Verdict::Success)), spent);
    let mut reset: Vec<Record> = stored.iter().filter(|record| record.scope.is_none()).cloned().collect();
    reset.iter_mut().for_each(|record| record.state.epoch += 1);
    other.pool.merge(&reset);
    other.pool.merge(&stored);
    let used: HashSet<SlotId> = (0..2).map(|_| other.call_in(scope, &Verdict::Success)).collect();
    assert_eq!(used.len(), 2, "what was stored before a reset is void");
}

#[test]
fn a_recovery_within_a_scope_is_stored_once_and_kept_when_that_fails() {
    let bench = Bench::new(keys(1));
    let scope = bench.pool.scope("model");
    bench.call_in(scope, &throttled(1));
    bench.pool.committed(&bench.drain());
    bench.clock.advance(SECOND);
    for _ in 0..3 {
        bench.call_in(scope, &Verdict::Success);
    }
    let batch = bench.drain();
    let recovered = |batch: &[Change]| batch.iter().any(|change| change.scope.is_some());
    assert!(recovered(&batch));
    bench.pool.rejected(&batch);
    let again = bench.drain();
    assert!(recovered(&again));
    bench.pool.committed(&again);
    bench.call_in(scope, &Verdict::Success);
    assert!(!recovered(&bench.drain()));
}

#[test]
fn keys_that_are_added_later_serve_every_scope() {
    let bench = Bench::new(keys(1));
    let scope = bench.pool.scope("model");
    bench.reload(keys(3).collect());
    let used: HashSet<SlotId> = (0..3).map(|_| bench.call_in(scope, &Verdict::Success)).collect();
    assert_eq!(used.len(), 3);
    bench.reload(keys(1).collect());
    assert_eq!(bench.call_in(scope, &Verdict::Success), bench.call_in(scope, &Verdict::Success));
}

#[test]
fn too_many_scopes_are_taken_for_none() {
    let bench = Bench::new(keys(1));
    let scopes: HashSet<ScopeId> = (0..300).map(|n| bench.pool.scope(&format!("user-{n}"))).collect();
    assert_eq!(scopes.len(), MAX_SCOPES + 1);
    assert_eq!(bench.pool.scope(""), NO_SCOPE);
    assert_ne!(bench.pool.scope("user-1"), NO_SCOPE);
}

fn stored(change: &Change) -> Record {
    let Change { fingerprint, scope, state, added, .. } = change.clone();
    Record { fingerprint, scope, state, counters: added }
}

#[test]
fn a_scope_shows_its_limits_from_the_start() {
    for learn in [false, true] {
        let limits = Limits::default().with_concurrency(1);
        let settings = Settings { learn, scope_limits: vec![("model".to_owned(), limits)], ..settings() };
        let bench = Bench::with(keys(1), Vec::new(), settings);
        let shown = || bench.pool.stats().keys.remove(0).scopes.into_iter().map(|row| (row.scope, row.limits));
        assert_eq!(shown().collect::<Vec<_>>(), [("model".to_owned(), limits)]);
        bench.call(&Verdict::Success);
        assert_eq!(shown().collect::<Vec<_>>(), [("model".to_owned(), limits)]);
    }
}
