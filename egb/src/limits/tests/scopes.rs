//! Limits of scopes.

use super::*;

#[test]
fn limits_of_a_scope_count_its_calls_alone_and_those_of_all_count_them_too() {
    let mut bench = Bench::new(per_minute(3));
    bench.scopes = vec![(1, per_minute(1)), (2, per_minute(5))];
    bench.set_limits(per_minute(3));
    let ready = |bench: &Bench, scope| bench.budget.ready_at(scope);
    bench.take_in(1, at(0), || at(0));
    assert_eq!(ready(&bench, 1), at(WINDOW_MILLIS));
    assert_eq!((ready(&bench, 2), ready(&bench, ALL)), (Tick::ZERO, Tick::ZERO));
    bench.take_in(2, at(1), || at(0));
    bench.take_in(ALL, at(2), || at(0));
    assert_eq!(
        (ready(&bench, 2), ready(&bench, 3), ready(&bench, ALL)),
        (at(WINDOW_MILLIS), at(WINDOW_MILLIS), at(WINDOW_MILLIS))
    );
    let used: Vec<_> = bench.used_of_scopes(at(5)).map(|(scope, _, used)| (scope, used.in_minute)).collect();
    assert_eq!(used, [(1, Some(1)), (2, Some(1))]);
}
