//! Calls that run while their key changes its group, or goes and comes back in another: they count in the group in which
//! they began, and in that of their key.

use super::*;
use crate::limits::Limits;

const MODEL: &str = "model";

/// How a key gets into another group.
#[derive(Clone, Copy, Debug)]
enum By {
    Reload,
    Return,
}

const WAYS: [By; 2] = [By::Reload, By::Return];

/// What limits calls to two at once: all of a key or group, or those of a scope.
#[derive(Clone, Copy, Debug)]
enum Limit {
    OfAll,
    OfScope,
}

const LIMITS: [Limit; 2] = [Limit::OfAll, Limit::OfScope];

/// A key that moves, and one in each of the groups a and b that stays.
struct Moving {
    bench: Bench,
    limit: Limit,
    scope: ScopeId,
}

impl Moving {
    fn new(limit: Limit, group: Option<&str>) -> Self {
        let scope_limits = match limit {
            Limit::OfAll => Vec::new(),
            Limit::OfScope => vec![(MODEL.to_owned(), Limits::default().with_concurrency(2))],
        };
        let bench = Bench::with(Self::configs(limit, group), Vec::new(), Settings { scope_limits, ..settings() });
        let scope = bench.pool.scope(MODEL);
        Self { bench, limit, scope }
    }

    fn configs(limit: Limit, group: Option<&str>) -> Vec<KeyConfig> {
        let moving = group.into_iter().fold(KeyConfig::new("moves"), KeyConfig::group);
        let stay = ["a", "b"].map(|group| KeyConfig::new(format!("stays in {group}")).group(group));
        let all = [moving].into_iter().chain(stay);
        all.map(|config| if matches!(limit, Limit::OfAll) { config.concurrency(2) } else { config }).collect()
    }

    fn to(&self, group: Option<&str>, by: By) {
        let configs = Self::configs(self.limit, group);
        if matches!(by, By::Return) {
            self.bench.reload(configs[1..].to_vec());
        }
        self.bench.reload(configs);
    }

    /// Starts a call with the key of that name, if it may.
    fn call(&self, name: &str) -> Option<CheckedOut<Held>> {
        self.call_in(self.scope, name)
    }

    fn call_in(&self, scope: ScopeId, name: &str) -> Option<CheckedOut<Held>> {
        let others =
            |state: &State| state.slots().filter(|slot| slot.key.expose_secret() != name).map(|slot| slot.id).collect();
        let excluded: Vec<SlotId> = others(&self.bench.pool.state.lock());
        self.bench.pool.checkout(&Wanted { scope, excluded: &excluded, ..Wanted::plain(1) }).ok()
    }

    /// How many calls more the key of that name may run.
    fn room(&self, name: &str) -> usize {
        let more: Vec<_> = std::iter::from_fn(|| self.call(name)).take(9).collect();
        more.iter().for_each(|call| self.end(call));
        more.len()
    }

    fn rooms(&self) -> [usize; 3] {
        ["moves", "stays in a", "stays in b"].map(|name| self.room(name))
    }

    fn end(&self, call: &CheckedOut<Held>) {
        self.bench.end_in(self.scope, call, &Verdict::Success);
    }
}

fn each(test: impl Fn(Limit, By)) {
    LIMITS.into_iter().for_each(|limit| WAYS.into_iter().for_each(|by| test(limit, by)));
}

#[test]
fn they_count_in_the_group_that_their_key_enters() {
    each(|limit, by| {
        let moving = Moving::new(limit, None);
        let call = moving.call("moves").unwrap();
        moving.to(Some("b"), by);
        assert_eq!(moving.rooms(), [1, 2, 1], "{limit:?} {by:?}");
        moving.end(&call);
        assert_eq!(moving.rooms(), [2, 2, 2], "{limit:?} {by:?}");
    });
}

#[test]
fn they_count_for_a_key_that_leaves_its_group_and_there_until_they_end() {
    each(|limit, by| {
        let moving = Moving::new(limit, Some("a"));
        let calls = [moving.call("moves").unwrap(), moving.call("moves").unwrap()];
        moving.to(None, by);
        assert_eq!(moving.rooms(), [0, 0, 2], "{limit:?} {by:?}");
        moving.end(&calls[0]);
        assert_eq!(moving.rooms(), [1, 1, 2], "{limit:?} {by:?}");
        moving.end(&calls[1]);
        assert_eq!(moving.rooms(), [2, 2, 2], "{limit:?} {by:?}");
    });
}

#[test]
fn they_count_in_both_groups_and_free_a_place_in_both() {
    each(|limit, by| {
        let moving = Moving::new(limit, Some("a"));
        let (early, other) = (moving.call("moves").unwrap(), moving.call("stays in a").unwrap());
        moving.to(Some("b"), by);
        assert_eq!(moving.rooms(), [1, 0, 1], "{limit:?} {by:?}");
        let late = moving.call("moves").unwrap();
        assert_eq!(moving.rooms(), [0, 0, 0], "{limit:?} {by:?}");
        moving.end(&early);
        assert_eq!(moving.rooms(), [1, 1, 1], "{limit:?} {by:?}");
        moving.end(&other);
        assert_eq!(moving.rooms(), [1, 2, 1], "{limit:?} {by:?}");
        moving.end(&late);
        assert_eq!(moving.rooms(), [2, 2, 2], "{limit:?} {by:?}");
    });
}

#[test]
fn they_count_once_in_a_group_that_their_key_comes_back_to() {
    each(|limit, by| {
        let moving = Moving::new(limit, Some("a"));
        let in_a = moving.call("moves").unwrap();
        moving.to(Some("b"), by);
        let in_b = moving.call("moves").unwrap();
        moving.to(Some("a"), by);
        assert_eq!(moving.rooms(), [0, 0, 1], "{limit:?} {by:?}");
        moving.end(&in_b);
        assert_eq!(moving.rooms(), [1, 1, 2], "{limit:?} {by:?}");
        moving.end(&in_a);
        assert_eq!(moving.rooms(), [2, 2, 2], "{limit:?} {by:?}");
    });
}

#[test]
fn they_count_no_longer_in_a_group_that_their_key_only_came_through() {
    each(|limit, by| {
        let moving = Moving::new(limit, Some("a"));
        let call = moving.call("moves").unwrap();
        moving.to(Some("b"), by);
        moving.to(None, by);
        assert_eq!(moving.rooms(), [1, 1, 2], "{limit:?} {by:?}");
        moving.bench.reload(Moving::configs(limit, None)[1..].to_vec());
        assert_eq!((moving.room("stays in a"), moving.room("stays in b")), (1, 2), "{limit:?} {by:?}");
        moving.end(&call);
        assert_eq!((moving.room("stays in a"), moving.room("stays in b")), (2, 2), "{limit:?} {by:?}");
        moving.to(Some("b"), by);
        assert_eq!(moving.rooms(), [2, 2, 2], "{limit:?} {by:?}");
    });
}

#[test]
fn they_count_for_a_key_that_goes_and_comes_back_as_it_was() {
    for (limit, group) in LIMITS.into_iter().flat_map(|limit| [(limit, None), (limit, Some("a"))]) {
        let moving = Moving::new(limit, group);
        let calls = [moving.call("moves").unwrap(), moving.call("moves").unwrap()];
        moving.to(group, By::Return);
        moving.to(group, By::Return);
        assert_eq!(moving.room("moves"), 0, "{limit:?} {group:?}");
        assert_eq!(moving.bench.pool.stats().keys[0].in_flight, 2);
        moving.end(&calls[0]);
        assert_eq!(moving.room("moves"), 1, "{limit:?} {group:?}");
        moving.end(&calls[1]);
        assert_eq!(moving.rooms(), [2, 2, 2], "{limit:?} {group:?}");
    }
}

#[test]
fn those_of_another_scope_take_no_place_in_a_scope() {
    for by in WAYS {
        let moving = Moving::new(Limit::OfScope, Some("a"));
        let others: Vec<_> = (0..3).map(|_| moving.call_in(NO_SCOPE, "moves").unwrap()).collect();
        let call = moving.call("moves").unwrap();
        moving.to(Some("b"), by);
        assert_eq!(moving.rooms(), [1, 1, 1], "{by:?}");
        others.iter().for_each(|other| {
            moving.bench.end(other, &Verdict::Success);
        });
        assert_eq!(moving.rooms(), [1, 1, 1], "{by:?}");
        moving.end(&call);
        assert_eq!(moving.rooms(), [2, 2, 2], "{by:?}");
    }
}

#[test]
fn a_call_that_is_ending_without_the_lock_while_its_key_moves_ends_once() {
    let moving = Moving::new(Limit::OfAll, None);
    let (ending, running) = (moving.call("moves").unwrap(), moving.call("moves").unwrap());
    // It waits for the lock that the operator has.
    let slot = &ending.keys.slots()[0];
    assert_eq!(slot.end(moving.scope, None), Ended::Loudly);
    moving.to(Some("a"), By::Reload);
    moving.to(Some("b"), By::Reload);
    assert_eq!(moving.rooms(), [0, 2, 0]);
    moving.bench.pool.settle_loudly(slot, ending.serial, moving.scope, &Verdict::Success, Lone::One);
    assert_eq!(moving.rooms(), [1, 2, 1]);
    moving.end(&running);
    assert_eq!(moving.rooms(), [2, 2, 2]);
}

#[test]
fn what_the_last_handle_leaves_to_calls_is_kept_for_those_of_a_key_that_moved() {
    for by in WAYS {
        let moving = Moving::new(Limit::OfAll, Some("a"));
        let call = moving.call("moves").unwrap();
        moving.to(Some("b"), by);
        assert!(moving.bench.pool.close(Box::new(())).is_none(), "a call runs");
        assert!(moving.bench.end_in(moving.scope, &call, &Verdict::Success).last);
    }
}
