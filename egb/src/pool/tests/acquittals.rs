//! Whatever happens in whatever order: when many keys fail, they get back what that took, and nothing else.

use proptest::prelude::*;

use super::*;
use crate::key::Fingerprint;
use crate::pool::slot::SharedSlot;

#[derive(Clone, Debug)]
enum Op {
    Take(usize),
    End(usize, Verdict),
    /// Every other call of a scope ends so.
    Outage(usize, u16),
    Report(usize, Verdict),
    SetEnabled(usize, bool),
    Reset(usize),
    /// An operator's word that was given to another process.
    Elsewhere(usize, bool),
    Advance(u64),
    SetClock(u64),
    Drain,
}

fn op() -> impl Strategy<Value = Op> {
    let verdict = || {
        prop_oneof![
            1 => Just(Verdict::Success),
            1 => Just(Verdict::status(401)),
            1 => Just(Verdict::status(402)),
            2 => Just(Verdict::status(403)),
            1 => Just(throttled(10)),
            2 => Just(throttled(3_600)),
            8 => Just(Verdict::status(503)),
        ]
    };
    let key = 0..6_usize;
    prop_oneof![
        4 => (0..3_usize).prop_map(Op::Take),
        12 => (any::<prop::sample::Index>(), verdict()).prop_map(|(at, verdict)| Op::End(at.index(1000), verdict)),
        4 => (0..3_usize, prop_oneof![Just(503), Just(403)]).prop_map(|(scope, status)| Op::Outage(scope, status)),
        1 => (key.clone(), verdict()).prop_map(|(key, verdict)| Op::Report(key, verdict)),
        4 => (key.clone(), any::<bool>()).prop_map(|(key, enable)| Op::SetEnabled(key, enable)),
        1 => key.clone().prop_map(Op::Reset),
        1 => (key, any::<bool>()).prop_map(|(key, disabled)| Op::Elsewhere(key, disabled)),
        1 => (0..100_u64).prop_map(Op::Advance),
        1 => (0..10_000_u64).prop_map(Op::SetClock),
        1 => Just(Op::Drain),
    ]
}

/// What an operation says of a key.
#[derive(Clone, Copy, PartialEq)]
enum Said {
    Nothing,
    Verdict,
    Word,
}

/// What is known of a key.
struct Known {
    said: Said,
    main: Health,
    /// Whether nothing was said of it since an operator's word.
    is_settled: bool,
    /// Until when a 429 wants it to rest, by scope.
    due: [Option<SystemTime>; 3],
}

/// The first two keys may be of one group.
struct Judged {
    bench: Bench,
    scopes: [ScopeId; 3],
    group: usize,
    known: Vec<Known>,
}

impl Judged {
    fn new(count: usize, is_grouped: bool, journaled: bool) -> Self {
        let group = if is_grouped { 2 } else { 0 };
        let configs =
            keys(count).enumerate().map(|(n, config)| if n < group { config.group("project") } else { config });
        let bench = Bench::journaled(configs, Vec::new(), settings(), journaled);
        let scopes = [NO_SCOPE, bench.pool.scope("model-a"), bench.pool.scope("model-b")];
        let known = |_| Known { said: Said::Nothing, main: Health::new(1.0), is_settled: false, due: [None; 3] };
        Self { bench, scopes, group, known: (0..count).map(known).collect() }
    }

    fn name(&self, key: usize) -> Fingerprint {
        let key = key % self.known.len();
        Key::from(format!("test-key-{key}")).fingerprint()
    }

    fn heard(&mut self, name: Fingerprint, scope: usize, verdict: &Verdict) {
        let time = self.bench.pool.timeline.time_of(self.bench.pool.now());
        let is_of_group = (0..self.group).any(|key| self.name(key) == name);
        for key in 0..self.known.len() {
            let is_sharing = is_of_group && key < self.group;
            let is_it = self.name(key) == name;
            let known = &mut self.known[key];
            let retry_after = if let Verdict::Failure(failure) = verdict { failure.retry_after() } else { None };
            if is_it || is_sharing {
                known.said = Said::Verdict;
                known.due[scope] = known.due[scope].max(retry_after.map(|wait| time + wait));
            }
        }
    }

    fn told(&mut self, key: usize, is_in_use: bool) {
        let key = key % self.known.len();
        let known = &mut self.known[key];
        known.said = Said::Word;
        if is_in_use {
            known.due = [None; 3];
        }
    }

    fn check(&mut self) -> Result<(), TestCaseError> {
        let disabled = self.bench.pool.stats().disabled();
        let names: Vec<_> = (0..self.known.len()).map(|key| self.name(key)).collect();
        let state = self.bench.pool.state.lock();
        prop_assert_eq!(state.disabled, disabled);
        let time = self.bench.pool.timeline.time_of(self.bench.pool.now());
        for (known, name) in self.known.iter_mut().zip(names) {
            let entry = state.entry(state.find(&name).unwrap());
            let main = entry.main().health.clone();
            match known.said {
                Said::Nothing => {
                    prop_assert_eq!(main.disabled, known.main.disabled, "nobody said so");
                    prop_assert!(main.effective >= known.main.effective, "{:?} was {:?}", main, known.main);
                    prop_assert!(main.cooldown_until <= known.main.cooldown_until, "{:?} was {:?}", main, known.main);
                    prop_assert!(!known.is_settled || main == known.main, "{:?} was {:?}", main, known.main);
                }
                Said::Verdict => {
                    prop_assert!(main.disabled || !known.main.disabled, "no verdict puts it back in use");
                    known.is_settled = false;
                }
                Said::Word => known.is_settled = true,
            }
            (known.said, known.main) = (Said::Nothing, main);
            for (&scope, due) in self.scopes.iter().zip(known.due) {
                let until = entry.health_within(scope).cooldown_until;
                prop_assert!(due.is_none_or(|due| due <= time) || until >= due, "{:?}, and not until {:?}", until, due);
            }
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn an_acquittal_undoes_nothing_but_what_the_acquitted_failures_did(
        ops in prop::collection::vec(op(), 1..60),
        count in prop_oneof![2 => Just(2_usize), 1 => 3..7_usize],
        is_grouped in any::<bool>(),
        journaled in any::<bool>(),
    ) {
        let mut judged = Judged::new(count, is_grouped, journaled);
        let mut open: Vec<(SharedSlot, u64, usize)> = Vec::new();
        // Enough calls that began before whatever happens.
        let begun = (0..9 * count).map(|call| Op::Take(call % 3));
        for op in begun.chain(ops) {
            let mut ended = Vec::new();
            match op {
                Op::Take(scope) => {
                    let wanted = Wanted { scope: judged.scopes[scope], ..Wanted::plain(1) };
                    if let Ok(taken) = judged.bench.pool.checkout(&wanted) {
                        open.push((taken.keys.slots()[0].clone(), taken.serial, scope));
                    }
                }
                Op::End(at, verdict) => if !open.is_empty() {
                    ended.push((open.swap_remove(at % open.len()), verdict));
                },
                Op::Outage(scope, status) => {
                    let mut turns = [true, false].into_iter().cycle();
                    let of_it = open.extract_if(.., |(.., of)| *of == scope && turns.next() == Some(true));
                    ended.extend(of_it.map(|call| (call, Verdict::status(status))));
                }
                Op::Report(key, verdict) => {
                    let name = judged.name(key);
                    judged.bench.pool.report(name, &verdict).unwrap();
                    judged.heard(name, 0, &verdict);
                }
                Op::SetEnabled(key, enable) => {
                    judged.bench.pool.set_enabled(judged.name(key), enable).unwrap();
                    judged.told(key, enable);
                }
                Op::Reset(key) => if key == 0 {
                    judged.bench.pool.reset();
                    (0..count).for_each(|key| judged.told(key, true));
                },
                Op::Elsewhere(key, disabled) => {
                    let pool = &judged.bench.pool;
                    let mut record = record(&format!("test-key-{}", key % count), |state| state.health.disabled = disabled);
                    let state = pool.state.lock();
                    let history = &state.entry(state.find(&record.fingerprint).unwrap()).history;
                    (record.state.epoch, record.counters) = (history.epoch + 1, history.stored);
                    drop(state);
                    pool.merge(&[record]);
                    judged.told(key, true);
                }
                Op::Advance(seconds) => judged.bench.clock.advance(Duration::from_secs(seconds)),
                Op::SetClock(seconds) => {
                    judged.bench.clock.set_utc(SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000 + seconds));
                }
                Op::Drain => drop(judged.bench.drain()),
            }
            judged.check()?;
            for ((slot, serial, scope), verdict) in ended {
                slot.home().settle(&slot, serial, judged.scopes[scope], &verdict, Lone::One);
                judged.heard(slot.key.fingerprint(), scope, &verdict);
                judged.check()?;
            }
        }
    }
}
