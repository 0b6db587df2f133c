//! Sessions stick to their key while it is free.

use super::*;

impl Bench {
    fn session(&self, scope: ScopeId, session: u64) -> CheckedOut<Held> {
        self.pool.checkout(&Wanted { session: Some(session), scope, ..Wanted::plain(1) }).expect("a key is free")
    }

    fn session_call(&self, session: u64, verdict: &Verdict) -> SlotId {
        let taken = self.session(NO_SCOPE, session);
        self.end(&taken, verdict);
        id(&taken)
    }
}

#[test]
fn a_session_keeps_its_key_and_others_go_on_in_turn() {
    let bench = Bench::new(keys(3));
    let mine = bench.session_call(1, &Verdict::Success);
    for _ in 0..5 {
        assert_eq!(bench.session_call(1, &Verdict::Success), mine);
    }
    let others: HashSet<SlotId> = (2..4).map(|session| bench.session_call(session, &Verdict::Success)).collect();
    assert_eq!(others.len(), 2);
    assert!(!others.contains(&mine), "it was used last");
}

#[test]
fn a_session_moves_when_its_key_rests_and_stays_where_it_went() {
    let bench = Bench::new(keys(2));
    let first = bench.session_call(1, &throttled(30));
    let second = bench.session_call(1, &Verdict::Success);
    assert_ne!(first, second);
    bench.clock.advance(30 * SECOND);
    assert_eq!(bench.session_call(1, &Verdict::Success), second);
}

#[test]
fn a_session_sticks_to_a_key_of_its_own_in_each_scope_and_to_the_first_of_several() {
    let bench = Bench::new(keys(3));
    let (one, other) = (bench.pool.scope("a"), bench.pool.scope("b"));
    let in_one = id(&bench.session(one, 1));
    for _ in 0..3 {
        assert_eq!(id(&bench.session(one, 1)), in_one);
        bench.session(other, 1);
    }
    let several = Wanted { session: Some(1), scope: one, ..Wanted::plain(2) };
    let taken = bench.pool.checkout(&several).ok().unwrap();
    assert_eq!(id(&taken), in_one);
    assert_ne!(taken.keys.slots()[1].id, in_one);
}

#[test]
fn a_session_forgets_a_key_that_was_removed_even_when_its_slot_is_used_again() {
    let bench = Bench::new(keys(1));
    bench.session_call(1, &Verdict::Success);
    bench.reload(vec![KeyConfig::new("another"), KeyConfig::new("third")]);
    let now = bench.session(NO_SCOPE, 1);
    assert_ne!(now.keys.key().expose_secret(), "test-key-0");
    assert_eq!(id(&bench.session(NO_SCOPE, 1)), id(&now));
}

#[test]
fn sessions_that_were_not_used_for_long_are_forgotten() {
    let bench = Bench::new(keys(3));
    let mine = bench.session_call(0, &Verdict::Success);
    for session in 1..=65_536 {
        bench.session_call(session, &Verdict::Success);
    }
    // It takes the key that is due, as any new session does.
    let order: Vec<SlotId> = (0..3).map(|_| bench.call(&Verdict::Success)).collect();
    let due = order[0];
    let next = bench.session_call(0, &Verdict::Success);
    assert_eq!(next, due);
    let _ = mine;
}

#[test]
fn how_often_sessions_get_their_key_is_counted() {
    let bench = Bench::new(keys(2));
    assert_eq!(bench.pool.stats().sessions.hit_rate(), None);
    bench.session_call(1, &Verdict::Success);
    bench.session_call(1, &throttled(30));
    bench.session_call(1, &Verdict::Success);
    bench.session_call(1, &Verdict::Success);
    let sessions = bench.pool.stats().sessions;
    assert_eq!((sessions.misses, sessions.hits, sessions.moves, sessions.remembered), (1, 2, 1, 1));
    assert_eq!(sessions.hit_rate(), Some(0.5));
}

#[test]
fn the_sessions_that_were_used_least_recently_are_forgotten() {
    let bench = Bench::with(keys(3), Vec::new(), Settings { cache_size: Some(2), ..settings() });
    for session in [1, 2, 1, 3] {
        bench.session_call(session, &Verdict::Success);
    }
    assert_eq!(bench.pool.stats().sessions.remembered, 2);
    let before = bench.pool.stats().sessions;
    bench.session_call(1, &Verdict::Success);
    bench.session_call(3, &Verdict::Success);
    assert_eq!(bench.pool.stats().sessions.hits, before.hits + 2);
    bench.session_call(2, &Verdict::Success);
    assert_eq!(bench.pool.stats().sessions.misses, before.misses + 1);
}

#[test]
fn room_for_sessions_goes_by_the_number_of_keys() {
    let bench = Bench::new(keys(3));
    assert_eq!(bench.pool.stats().sessions.capacity, 3 * 1_024);
    bench.reload(keys(100).collect());
    assert_eq!(bench.pool.stats().sessions.capacity, 65_536);
    let none = Bench::with(keys(3), Vec::new(), Settings { cache_size: Some(0), ..settings() });
    none.session_call(1, &Verdict::Success);
    assert_eq!(none.pool.stats().sessions.remembered, 0);
}
