//! What the simulation has to show: known limits are never met and cost nothing, unknown ones are learned.

use std::time::Duration;

use egb_tests::simulation::{Contender, LOADS, Setting, Windows, run, tables};

/// Short enough for a test; the example `simulation` runs for an hour.
const LENGTH: Duration = Duration::from_secs(16 * 60);
const SEED: u64 = 7;

#[test]
fn limits_are_kept_when_given_and_learned_when_not() {
    for table in tables(LENGTH, SEED) {
        println!("{table}");
        for (contender, outcomes) in &table.rows {
            for ((outcome, theory), load) in outcomes.iter().zip(&table.theory).zip(LOADS) {
                let place = format!("{}; {} at {load}: {outcome:?}", table.title, contender.name());
                assert_eq!(outcome.calls, theory.calls, "{place}");
                match contender {
                    Contender::EgbGiven => {
                        assert_eq!(outcome.first_try_429s, 0, "{place}");
                        let excess = outcome.percent_lost() - theory.percent_lost();
                        assert!(excess < 0.1, "{place}, theory: {theory:?}");
                    }
                    Contender::EgbLearned => {
                        assert!(outcome.percent_429() < 1.0, "{place}");
                        let excess = outcome.percent_lost() - theory.percent_lost();
                        assert!(excess < 0.5, "{place}, theory: {theory:?}");
                    }
                    _ => {}
                }
            }
        }
        let of = |wanted| &table.rows.iter().find(|(contender, _)| *contender == wanted).unwrap().1;
        for (egb, random) in of(Contender::EgbLearned).iter().zip(of(Contender::WeightedRandom)) {
            assert!(10 * egb.first_try_429s < random.first_try_429s, "{}", table.title);
        }
    }
}

#[test]
fn a_run_is_the_same_each_time() {
    let setting =
        Setting { limits: vec![10; 10], windows: Windows::Fixed, load: 1.0, length: Duration::from_secs(180) };
    for contender in Contender::ALL {
        let first = run(&setting, contender, SEED);
        assert_eq!(run(&setting, contender, SEED), first);
        assert_ne!(run(&setting, contender, SEED + 1), first);
    }
}
