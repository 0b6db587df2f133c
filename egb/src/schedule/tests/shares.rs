//! Long runs: who gets how much.

use super::*;

/// How often each key was used.
fn counts(schedule: &mut Schedule, keys: usize, picks: usize) -> Vec<u32> {
    let mut counts = vec![0; keys];
    for _ in 0..picks {
        counts[pick(schedule) as usize] += 1;
    }
    counts
}

/// Mean relative error and the largest absolute one.
fn errors(counts: &[u32], weights: &[f64]) -> (f64, f64) {
    let unit = f64::from(counts.iter().sum::<u32>()) / weights.iter().sum::<f64>();
    let (mut sum, mut keys, mut worst) = (0.0, 0.0, 0.0_f64);
    for (&count, weight) in counts.iter().zip(weights) {
        let (count, share) = (f64::from(count), weight * unit);
        sum += (count / share - 1.0).abs();
        keys += 1.0;
        worst = worst.max((count - share).abs());
    }
    (sum / keys, worst)
}

/// Weights from 0.5 to 20, `distinct` different ones.
fn mixed(keys: u32, distinct: u32) -> Vec<f64> {
    (0..keys).map(|key| 0.5 * 40.0_f64.powf(f64::from(key % distinct) / f64::from(distinct - 1))).collect()
}

#[test]
fn shares_are_proportional_to_weights() {
    for (keys, distinct, picks) in [(2, 2, 100_000), (50, 8, 1_000_000), (50, 50, 200_000), (500, 30, 1_000_000)] {
        let weights = mixed(keys, distinct);
        let counts = counts(&mut schedule(&weights), weights.len(), picks);
        let (mean, worst) = errors(&counts, &weights);
        assert!(mean < 0.001, "{keys} keys of {distinct} weights: mean relative error {mean}");
        assert!(worst < 3.0, "{keys} keys of {distinct} weights: off by {worst} picks");
    }
}

#[test]
fn shares_are_proportional_when_every_weight_differs() {
    let weights = mixed(5_000, 5_000);
    let counts = counts(&mut schedule(&weights), weights.len(), 300_000);
    let (_, worst) = errors(&counts, &weights);
    assert!(worst < 3.0, "off by {worst} picks");
}

#[test]
fn shares_are_proportional_when_several_distinct_keys_go_at_once() {
    let weights = mixed(50, 8);
    let mut schedule = schedule(&weights);
    let mut counts = vec![0; weights.len()];
    for _ in 0..100_000 {
        let together: Vec<_> = (0..4).filter_map(|_| schedule.pop(NOW)).collect();
        for &id in &together {
            schedule.requeue(id);
            counts[id as usize] += 1;
        }
    }
    let (mean, _) = errors(&counts, &weights);
    assert!(mean < 0.001, "mean relative error {mean}");
}

#[test]
fn shares_survive_returns_and_changes_of_weight() {
    let weights = mixed(50, 8);
    let mut schedule = schedule(&vec![1.0; 50]);
    picks(&mut schedule, 777);
    for id in 0..50 {
        if id % 3 == 0 {
            schedule.park(id, NOW);
        }
        schedule.set_weight(id, weights[id as usize]);
    }
    picks(&mut schedule, 5_000);
    let counts = counts(&mut schedule, 50, 400_000);
    let (mean, worst) = errors(&counts, &weights);
    assert!(mean < 0.001, "mean relative error {mean}");
    assert!(worst < 3.0, "off by {worst} picks");
}

#[test]
fn virtual_time_can_go_on_for_ever() {
    // The lightest weights make it fastest: it is set back every few picks.
    let weights = [1e-6, 2e-6, 3e-6, 3e-6];
    let mut schedule = schedule(&weights);
    let picks = 90_000;
    let counts = counts(&mut schedule, 4, picks);
    let (_, worst) = errors(&counts, &weights);
    assert!(worst < 3.0, "{counts:?}");
    schedule.hold(0);
    for _ in 0..picks {
        assert_ne!(pick(&mut schedule), 0);
    }
    schedule.put_back(0);
    assert_eq!(pick(&mut schedule), 0);
}

#[test]
fn weights_out_of_range_count_as_the_bound() {
    for (weight, bound) in [
        (0.0, MAX_INTERVAL),
        (1e-300, MAX_INTERVAL),
        (f64::MIN_POSITIVE, MAX_INTERVAL),
        (1e300, MIN_INTERVAL),
        (f64::INFINITY, MIN_INTERVAL),
        (f64::NAN, MIN_INTERVAL),
        (-1.0, MIN_INTERVAL),
    ] {
        assert_eq!(interval(weight), bound, "{weight}");
    }
    assert!(interval(1e-6) < MAX_INTERVAL && interval(4e9) > MIN_INTERVAL);
    let mut schedule = schedule(&[0.0, f64::INFINITY, f64::NAN, 1.0]);
    picks(&mut schedule, 100_000);
}
