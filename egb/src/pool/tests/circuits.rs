//! Circuits and their probes.

use super::*;

#[test]
fn a_half_open_key_gets_one_probe_and_a_success_closes_its_circuit() {
    let bench = Bench::new(keys(1));
    open_circuit(&bench);
    let probe = bench.take();
    assert!(bench.pool.checkout(&Wanted::plain(1)).is_err(), "one probe, however many callers");
    bench.end(&probe, &Verdict::Success);
    bench.take();
    bench.take();
    assert_eq!(bench.state(0), KeyState::Available);
}

#[test]
fn a_probe_that_says_nothing_or_hangs_makes_room_for_another() {
    let bench = Bench::new(keys(1));
    open_circuit(&bench);
    let probe = bench.take();
    bench.end(&probe, &Verdict::Neutral);
    let _hangs = bench.take();
    assert!(bench.pool.checkout(&Wanted::plain(1)).is_err());
    bench.clock.advance(PROBE_TIMEOUT);
    bench.take();
}

#[test]
fn a_failed_probe_opens_the_circuit_again() {
    let bench = Bench::new(keys(1));
    open_circuit(&bench);
    let probe = bench.take();
    bench.end(&probe, &Verdict::status(503));
    assert_eq!(bench.state(0), KeyState::CoolingDown);
}
