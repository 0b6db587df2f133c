//! Any sequence of calls, against a model that scans all keys and keeps no order.

use std::collections::HashMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

const KEYS: SlotId = 24;
static WEIGHTS: [f64; 9] = [1.0, 1.0, 2.0, 0.3, 7.0, 1e-6, 0.0, f64::INFINITY, f64::NAN];

#[derive(Clone, Debug)]
enum Call {
    Insert(Vec<(SlotId, f64, Option<u64>)>),
    Pick,
    Rotate,
    Pop,
    PopThis(SlotId),
    Requeue(SlotId),
    MarkUsed(SlotId),
    PutBack(SlotId),
    Park(SlotId, u64),
    Hold(SlotId),
    SetWeight(SlotId, f64),
    Remove(SlotId),
    Wait(u64),
}

fn call() -> impl Strategy<Value = Call> {
    let id = || 0..KEYS;
    let weight = || select(&WEIGHTS);
    let keys = vec((id(), weight(), prop::option::of(0_u64..50)), 1..12);
    prop_oneof![
        1 => keys.prop_map(Call::Insert),
        8 => Just(Call::Pick),
        8 => Just(Call::Rotate),
        4 => Just(Call::Pop),
        1 => id().prop_map(Call::PopThis),
        2 => id().prop_map(Call::Requeue),
        1 => id().prop_map(Call::MarkUsed),
        4 => id().prop_map(Call::PutBack),
        4 => (id(), 0_u64..60).prop_map(|(id, wait)| Call::Park(id, wait)),
        2 => id().prop_map(Call::Hold),
        3 => (id(), weight()).prop_map(|(id, weight)| Call::SetWeight(id, weight)),
        1 => id().prop_map(Call::Remove),
        3 => (0_u64..40).prop_map(Call::Wait),
    ]
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Where {
    Out,
    Queued,
    Parked(u64),
    Held,
}

#[derive(Clone, Copy, Debug)]
struct ModelKey {
    interval: u64,
    last_use: u64,
    place: Where,
}

impl ModelKey {
    fn turn(&self) -> u64 {
        self.last_use + self.interval
    }
}

/// The rules of the order, without any of its structures.
#[derive(Default)]
struct Model {
    keys: HashMap<SlotId, ModelKey>,
    last_uses: HashMap<u64, u64>,
    now: u64,
}

impl Model {
    fn note_use(&mut self, interval: u64, last_use: u64) {
        let latest = self.last_uses.entry(interval).or_default();
        *latest = last_use.max(*latest);
    }

    fn forget_empty_levels(&mut self) {
        let keys = &self.keys;
        self.last_uses.retain(|interval, _| keys.values().any(|key| key.interval == *interval));
    }

    fn next(&self) -> Option<(u64, SlotId)> {
        let queued = self.keys.iter().filter(|(_, key)| key.place == Where::Queued);
        queued.map(|(&id, key)| (key.turn(), id)).min()
    }

    fn pop(&mut self, now: u64) -> Option<SlotId> {
        for _ in 0..RETURNS_PER_POP {
            let parked = self.keys.iter().filter_map(|(&id, key)| match key.place {
                Where::Parked(until) if until <= now => Some((until, id)),
                _ => None,
            });
            if let Some((_, id)) = parked.min() {
                self.set(id, Where::Queued);
            }
        }
        let (_, id) = self.next()?;
        self.set(id, Where::Out);
        Some(id)
    }

    fn set(&mut self, id: SlotId, place: Where) {
        if let Some(key) = self.keys.get_mut(&id) {
            key.place = place;
        }
    }

    fn mark_used(&mut self, id: SlotId, line_turn: u64) {
        let Some(&key) = self.keys.get(&id) else { return };
        if key.place == Where::Queued {
            self.set(id, Where::Out);
        }
        let others = self.next().map_or(u64::MAX, |(turn, _)| turn);
        self.now = self.now.max(key.turn().min(others));
        let active = self
            .keys
            .values()
            .filter(|other| other.interval == key.interval && matches!(other.place, Where::Out | Where::Queued));
        let gap = key.interval / (active.count() as u64 + 1);
        let latest = self.last_uses[&key.interval];
        let turn = key.turn().min(line_turn);
        let last_use = turn.max(latest + gap).min(self.now + 2 * key.interval).max(self.now).max(latest + 1);
        self.note_use(key.interval, last_use);
        self.keys.insert(id, ModelKey { last_use, place: self.keys[&id].place, ..key });
        if self.now >= SET_BACK_AT {
            let shift = self.now - START;
            self.now = START;
            let last_uses = self.keys.values_mut().map(|key| &mut key.last_use).chain(self.last_uses.values_mut());
            last_uses.for_each(|last_use| *last_use = last_use.saturating_sub(shift));
        }
    }

    fn put_back(&mut self, id: SlotId) {
        if self.keys.contains_key(&id) {
            self.set(id, Where::Queued);
        }
    }

    fn set_weight(&mut self, id: SlotId, weight: f64) {
        let Some(key) = self.keys.get_mut(&id) else { return };
        let interval = interval(weight);
        if key.interval != interval {
            key.interval = interval;
            key.last_use = key.last_use.min(self.now);
            let last_use = key.last_use;
            self.note_use(interval, last_use);
            self.forget_empty_levels();
        }
    }

    fn remove(&mut self, id: SlotId) {
        self.keys.remove(&id);
        self.forget_empty_levels();
    }
}

/// Every slot is in exactly one place, and every structure is in order.
fn check_structures(schedule: &Schedule) {
    let mut seen = vec![0; schedule.slots.len()];
    let mut in_lines = 0;
    for (level_id, level) in schedule.levels.iter() {
        let (head, tail) = level.ends();
        let (mut before, mut id) = (NONE, head);
        while id != NONE {
            let slot = schedule.slots[id as usize];
            assert_eq!((slot.place, slot.level, slot.before), (Place::Line, level_id, before));
            if before != NONE {
                let ahead = schedule.slots[before as usize];
                assert!((ahead.last_use, before) < (slot.last_use, id), "a line is sorted by last use");
            }
            seen[id as usize] += 1;
            in_lines += 1;
            (before, id) = (id, slot.after);
        }
        assert_eq!(tail, before);
        let members = || schedule.slots.iter().filter(|slot| slot.place != Place::Vacant && slot.level == level_id);
        let active = members().filter(|slot| !matches!(slot.place, Place::Parked | Place::Held));
        let count = |len: usize| u32::try_from(len).unwrap();
        assert_eq!(level.counts(), (count(members().count()), count(active.count())));
        assert!(members().all(|slot| slot.last_use <= level.last_use));
        let turn = if head == NONE { u64::MAX } else { schedule.slots[head as usize].last_use + level.interval };
        assert_eq!(schedule.levels.turn(level_id), turn);
    }
    assert_eq!(schedule.levels.len(), in_lines);
    for (heap, place) in [(&schedule.returned, Place::Heap), (&schedule.timers, Place::Parked)] {
        assert!(heap.is_ordered());
        for (position, entry) in heap.entries().iter().enumerate() {
            let slot = schedule.slots[entry.id as usize];
            assert_eq!((slot.place, slot.position()), (place, position));
            seen[entry.id as usize] += 1;
        }
    }
    for (slot, &seen) in schedule.slots.iter().zip(&seen) {
        assert_eq!(seen, i32::from(matches!(slot.place, Place::Line | Place::Heap | Place::Parked)));
    }
    let count = |place| schedule.slots.iter().filter(|slot| slot.place == place).count();
    assert_eq!((schedule.held, schedule.out), (count(Place::Held), count(Place::Out)));
}

/// The turn of the first in this key's line, were the key not in it.
fn line_turn(schedule: &Schedule, id: SlotId) -> u64 {
    let same_line = |other: &Slot| other.place == Place::Line && other.level == schedule.slots[id as usize].level;
    let others = schedule.slots.iter().enumerate().filter(|&(other, slot)| other != id as usize && same_line(slot));
    others.map(|(_, slot)| slot.last_use + schedule.level_of(id).interval).min().unwrap_or(u64::MAX)
}

fn apply(call: &Call, time: &mut u64, schedule: &mut Schedule, model: &mut Model) {
    let mark_used = |id, schedule: &Schedule, model: &mut Model| {
        if schedule.place(id) != Place::Vacant {
            model.mark_used(id, line_turn(schedule, id));
        }
    };
    match *call {
        Call::Insert(ref keys) => {
            for &(id, ..) in keys {
                model.remove(id);
            }
            schedule.insert_all(keys.iter().copied());
            model.now = schedule.now;
            for &(id, ..) in keys {
                // Where new keys start is drawn by lot, so it is taken over.
                let (last_use, interval) = (schedule.slots[id as usize].last_use, schedule.level_of(id).interval);
                assert!(keys.iter().any(|key| key.0 == id && super::interval(key.1) == interval));
                model.keys.insert(id, ModelKey { interval, last_use, place: Where::Queued });
                model.note_use(interval, last_use);
            }
        }
        Call::Pick => {
            let id = schedule.pop(Tick(*time));
            assert_eq!(id, model.pop(*time));
            if let Some(id) = id {
                mark_used(id, schedule, model);
                schedule.requeue(id);
                model.put_back(id);
            }
        }
        Call::Rotate => {
            if let Some(id) = schedule.at_hand(Tick(*time)) {
                assert_eq!(model.pop(*time), Some(id));
                mark_used(id, schedule, model);
                schedule.rotate(id);
                model.put_back(id);
            }
        }
        Call::Pop => assert_eq!(schedule.pop(Tick(*time)), model.pop(*time)),
        Call::PopThis(id) => {
            let may_be_used = model.keys.get(&id).is_some_and(|key| match key.place {
                Where::Queued => true,
                Where::Parked(until) => until <= *time,
                Where::Out | Where::Held => false,
            });
            assert_eq!(schedule.pop_this(id, Tick(*time)), may_be_used);
            if may_be_used {
                model.set(id, Where::Out);
            }
        }
        Call::Requeue(id) => {
            mark_used(id, schedule, model);
            schedule.requeue(id);
            model.put_back(id);
        }
        Call::MarkUsed(id) => {
            mark_used(id, schedule, model);
            schedule.mark_used(id);
        }
        Call::PutBack(id) => {
            schedule.put_back(id);
            model.put_back(id);
        }
        Call::Park(id, wait) => {
            schedule.park(id, Tick(*time + wait));
            model.set(id, Where::Parked(*time + wait));
        }
        Call::Hold(id) => {
            schedule.hold(id);
            model.set(id, Where::Held);
        }
        Call::SetWeight(id, weight) => {
            schedule.set_weight(id, weight);
            model.set_weight(id, weight);
        }
        Call::Remove(id) => {
            schedule.remove(id);
            model.remove(id);
        }
        Call::Wait(by) => *time += by,
    }
}

fn check_against_model(schedule: &Schedule, model: &Model) {
    assert_eq!(schedule.now, model.now);
    for id in 0..KEYS {
        let key = model.keys.get(&id);
        let place = key.map(|key| key.place);
        assert_eq!(schedule.is_queued(id), place == Some(Where::Queued));
        assert_eq!(schedule.is_held(id), place == Some(Where::Held));
        assert_eq!(schedule.is_parked(id), matches!(place, Some(Where::Parked(_))));
        assert_eq!(key.map(|key| key.last_use), key.map(|_| schedule.slots[id as usize].last_use));
    }
    let count = |of: fn(&Where) -> bool| model.keys.values().filter(|key| of(&key.place)).count();
    assert_eq!(schedule.queued_len(), count(|place| *place == Where::Queued));
    assert_eq!(schedule.parked_len(), count(|place| matches!(place, Where::Parked(_))));
    assert_eq!(schedule.held_len(), count(|place| *place == Where::Held));
    let due = model.keys.values().filter_map(|key| match key.place {
        Where::Parked(until) => Some(Tick(until)),
        _ => None,
    });
    assert_eq!(schedule.next_due(), due.min());
}

proptest! {
    #[test]
    fn any_calls_go_as_in_the_model(calls in vec(call(), 1..200)) {
        let (mut schedule, mut model, mut time) = (Schedule::new(5), Model::default(), 0);
        for call in [Call::Insert((0..KEYS / 2).map(|id| (id, 1.0, None)).collect())].iter().chain(&calls) {
            apply(call, &mut time, &mut schedule, &mut model);
            check_structures(&schedule);
            check_against_model(&schedule, &model);
        }
    }

    /// Whatever else happens: among keys of equal weight that may be used, the least recently used.
    #[test]
    fn keys_of_equal_weight_go_by_their_last_use(calls in vec(call(), 1..300)) {
        let mut schedule = schedule(&[1.0; KEYS as usize]);
        let mut last_use = HashMap::new();
        for (turn, id) in (0..).zip(picks(&mut schedule, KEYS as usize)) {
            last_use.insert(id, turn);
        }
        let mut time = 0;
        for (turn, call) in (100..).zip(&calls) {
            match *call {
                Call::Pick | Call::Pop => {
                    let Some(id) = schedule.pop(Tick(time)) else { continue };
                    let others = (0..KEYS).filter(|&other| schedule.is_queued(other));
                    prop_assert!(others.map(|other| last_use[&other]).all(|other| last_use[&id] < other));
                    if matches!(call, Call::Pick) {
                        schedule.requeue(id);
                        last_use.insert(id, turn);
                    }
                }
                Call::Requeue(id) => {
                    schedule.requeue(id);
                    last_use.insert(id, turn);
                }
                Call::MarkUsed(id) => {
                    schedule.mark_used(id);
                    last_use.insert(id, turn);
                }
                Call::PutBack(id) => schedule.put_back(id),
                Call::Park(id, wait) => schedule.park(id, Tick(time + wait)),
                Call::Hold(id) => schedule.hold(id),
                Call::Wait(by) => time += by,
                Call::Insert(_) | Call::Rotate | Call::PopThis(_) | Call::SetWeight(..) | Call::Remove(_) => {}
            }
        }
    }

    #[test]
    fn keys_popped_together_are_distinct_and_put_back_as_if_never_popped(
        calls in vec(call(), 1..150),
        together in 1_usize..30,
    ) {
        let (mut schedule, mut model, mut time) = (Schedule::new(5), Model::default(), 0);
        for call in [Call::Insert((0..KEYS).map(|id| (id, 1.0, None)).collect())].iter().chain(&calls) {
            apply(call, &mut time, &mut schedule, &mut model);
        }
        // Whoever is due comes back first, so that both runs begin with the same keys.
        for id in 0..KEYS {
            if model.keys.get(&id).is_some_and(|key| matches!(key.place, Where::Parked(until) if until <= time)) {
                schedule.put_back(id);
            }
        }
        let pop = |schedule: &mut Schedule| -> Vec<_> {
            (0..together).map_while(|_| schedule.pop(Tick(time))).collect()
        };
        let now = schedule.now;
        let popped = pop(&mut schedule);
        let mut distinct = popped.clone();
        distinct.sort_unstable();
        distinct.dedup();
        prop_assert_eq!(distinct.len(), popped.len());
        for &id in popped.iter().rev() {
            schedule.put_back(id);
        }
        check_structures(&schedule);
        prop_assert_eq!(schedule.now, now);
        prop_assert_eq!(&pop(&mut schedule), &popped);
        // The order of putting back does not matter either.
        for &id in &popped {
            schedule.put_back(id);
        }
        prop_assert_eq!(pop(&mut schedule), popped);
    }
}
