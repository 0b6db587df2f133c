//! Whatever callers do, in any order: nobody who waits is forgotten.

use std::cell::Cell;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use egb::{Failure, Key, balanced};
use proptest::prelude::*;

use super::{ApiError, Bench, Callers, MINUTE, SECOND, keys};

/// What a caller of the test below is told to do, and what it has done.
#[derive(Default)]
struct Told {
    may_end: Cell<bool>,
    holds: Cell<bool>,
    tries: Cell<u32>,
}

async fn hold(told: &Told) {
    told.holds.set(true);
    poll_fn(|_| if told.may_end.get() { Poll::Ready(()) } else { Poll::Pending }).await;
}

async fn several(bench: &Bench, count: usize, rest: Option<u32>, told: &Told) -> Result<(), ApiError> {
    let lease = bench.balancer.checkout().keys(count).wait(60 * MINUTE).lease_async().await?;
    hold(told).await;
    match rest {
        Some(seconds) => lease.end(Failure::status(429).with_retry_after(seconds * SECOND)),
        None => lease.success(),
    }
    Ok(())
}

#[balanced(balancer = bench.balancer, retries = 2, wait = "1h")]
async fn another(_key: Key, bench: &Bench, fails: u32, told: &Told) -> Result<(), ApiError> {
    told.tries.set(told.tries.get() + 1);
    if told.tries.get() <= fails {
        return Err(ApiError::NoSuchModel);
    }
    hold(told).await;
    Ok(())
}

#[derive(Clone, Debug)]
enum Step {
    Several(usize, Option<u32>),
    Another(u32),
    End(usize),
    GiveUp(usize),
    Pass(u64),
    Look,
}

fn a_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1..4_usize, prop::option::weighted(0.5, 1..20_u32)).prop_map(|(count, rest)| Step::Several(count, rest)),
        5 => (1..3_u32).prop_map(Step::Another),
        4 => any::<prop::sample::Index>().prop_map(|index| Step::End(index.index(1_000))),
        1 => any::<prop::sample::Index>().prop_map(|index| Step::GiveUp(index.index(1_000))),
        2 => (1..30_000_u64).prop_map(Step::Pass),
        4 => Just(Step::Look),
    ]
}

proptest! {
    /// When all who were woken have looked, nobody who waits would get a key by looking once more.
    #[test]
    fn nobody_is_forgotten(steps in prop::collection::vec(a_step(), 1..120)) {
        let configs = keys(3).map(|key| key.concurrency(1)).chain(["test-key-3".into()]);
        let bench = Bench::new(configs);
        let told: Vec<Told> = steps.iter().map(|_| Told::default()).collect();
        let mut callers = Callers::default();
        for step in &steps {
            let running = |callers: &Callers<'_>, holds| -> Vec<usize> {
                (0..callers.running.len()).filter(|&n| callers.running[n].is_some() && told[n].holds.get() == holds).collect()
            };
            let next = &told[callers.running.len()];
            match *step {
                Step::Several(count, rest) => callers.start(Box::pin(several(&bench, count, rest, next))),
                Step::Another(fails) => callers.start(Box::pin(another(&bench, fails, next))),
                Step::End(number) => if let Some(&number) = running(&callers, true).iter().cycle().nth(number) {
                    told[number].may_end.set(true);
                    callers.poll(number);
                },
                Step::GiveUp(number) => if let Some(&number) = running(&callers, number % 3 == 0).iter().cycle().nth(number) {
                    callers.give_up(number);
                },
                Step::Pass(millis) => bench.clock.advance(Duration::from_millis(millis)),
                Step::Look => {}
            }
            if !matches!(step, Step::Look) {
                continue;
            }
            while callers.step() {}
            for number in running(&callers, false) {
                callers.poll(number);
                prop_assert!(!told[number].holds.get(), "{number} was not woken");
                while callers.step() {}
            }
        }
    }
}
