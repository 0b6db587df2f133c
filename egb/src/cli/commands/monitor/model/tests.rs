//! What is shown of a pool, and what keystrokes change of it.

use super::super::testing::Bench;
use super::*;
use crate::config::KeyConfig;

fn labelled(labels: &[&str]) -> Bench {
    Bench::new(labels.iter().map(|label| KeyConfig::new(format!("the-key-{label}")).label(*label)))
}

fn shown(model: &Model) -> Vec<&str> {
    model.visible().1.map(|key| key.label.as_deref().unwrap_or("-")).collect()
}

fn obey(model: &mut Model, wishes: impl IntoIterator<Item = Wish>) {
    assert!(wishes.into_iter().all(|wish| model.obey(wish)));
}

fn type_filter(model: &mut Model, text: &str) {
    obey(model, [Wish::BeginFilter]);
    obey(model, text.chars().map(Wish::Type));
}

#[test]
fn keys_are_in_the_order_in_which_they_were_given_until_another_is_asked_for() {
    let mut bench = labelled(&["c", "a", "b"]);
    bench.model.set_page(10);
    bench.call("the-key-a", 3, 200);
    bench.call("the-key-b", 1, 401);
    bench.call("the-key-c", 2, 429);
    bench.pass(1);
    let model = &mut bench.model;
    assert_eq!(shown(model), ["c", "a", "b"]);
    let mut orders = Vec::new();
    for _ in Sort::value_variants() {
        obey(model, [Wish::NextSort]);
        orders.push((model.sort, shown(model).concat()));
    }
    let expected = [
        (Sort::State, "bca"),
        (Sort::Health, "cab"),
        (Sort::Rate, "acb"),
        (Sort::Calls, "acb"),
        (Sort::Errors, "cba"),
        (Sort::Throttled, "cab"),
        (Sort::LastUsed, "cab"),
        (Sort::Label, "abc"),
        (Sort::Given, "cab"),
    ];
    assert_eq!(orders, expected.map(|(sort, labels)| (sort, labels.to_owned())));
    obey(model, [Wish::PreviousSort, Wish::Reverse]);
    assert_eq!((model.sort, shown(model).concat()), (Sort::Label, "cba".to_owned()));
    obey(model, [Wish::NextSort, Wish::Reverse]);
    assert_eq!(shown(model), ["b", "a", "c"], "a new order begins the right way round");
}

#[test]
fn the_filter_wants_all_words_of_what_is_shown_of_a_key() {
    let mut bench = labelled(&["Work-1", "work-2", "play-1"]);
    bench.model.set_page(10);
    bench.call("the-key-work-2", 1, 401);
    bench.pass(1);
    let fingerprint = bench.model.keys[2].fingerprint.to_string();
    for (filter, admitted) in [
        ("wor", &["Work-1", "work-2"][..]),
        ("-1 work", &["Work-1"]),
        ("disabled", &["work-2"]),
        ("invalid_key", &["work-2"]),
        ("401", &["work-2"]),
        (&fingerprint[..12], &["play-1"]),
        ("nothing at all", &[]),
        ("  ", &["Work-1", "work-2", "play-1"]),
    ] {
        let model = &mut bench.model;
        type_filter(model, filter);
        assert_eq!(shown(model), admitted, "{filter}");
        obey(model, [Wish::KeepFilter]);
        assert_eq!((model.mode, &*model.filter), (Mode::Table, filter));
        obey(model, [Wish::BeginFilter, Wish::ClearFilter]);
        assert_eq!(shown(model).len(), 3);
    }
    type_filter(&mut bench.model, "playx");
    assert_eq!(shown(&bench.model), [""; 0]);
    obey(&mut bench.model, [Wish::Erase]);
    assert_eq!(shown(&bench.model), ["play-1"]);
    // It holds for what comes.
    bench.pass(1);
    assert_eq!(shown(&bench.model), ["play-1"]);
}

#[test]
fn only_a_page_is_shown_and_scrolling_stays_within_the_keys() {
    let labels: Vec<String> = (0..10_000).map(|number| format!("key-{number}")).collect();
    let mut bench = labelled(&labels.iter().map(String::as_str).collect::<Vec<_>>());
    let model = &mut bench.model;
    model.set_page(3);
    for (scroll, rows) in [
        (Scroll::Up, "0 1 2"),
        (Scroll::Down, "1 2 3"),
        (Scroll::PageDown, "4 5 6"),
        (Scroll::PageUp, "1 2 3"),
        (Scroll::PageUp, "0 1 2"),
        (Scroll::Bottom, "9997 9998 9999"),
        (Scroll::PageDown, "9997 9998 9999"),
        (Scroll::Down, "9997 9998 9999"),
        (Scroll::Up, "9996 9997 9998"),
        (Scroll::Top, "0 1 2"),
        (Scroll::Bottom, "9997 9998 9999"),
    ] {
        obey(model, [Wish::Scroll(scroll)]);
        assert_eq!(shown(model).join(" ").replace("key-", ""), rows, "{scroll:?}");
    }
    // A larger screen, or fewer keys, leave no empty rows.
    model.set_page(5);
    assert_eq!(shown(model)[..2], ["key-9995", "key-9996"]);
    type_filter(model, "key-999");
    assert_eq!(shown(model).join(" "), "key-999 key-9990 key-9991 key-9992 key-9993");
}

#[test]
fn events_during_a_pause_are_shown_after_it() {
    let mut bench = labelled(&["a", "b"]);
    bench.call("the-key-a", 1, 401);
    bench.hear();
    assert_eq!(bench.model.happenings.len(), 1);
    obey(&mut bench.model, [Wish::Pause]);
    bench.call("the-key-b", 1, 401);
    bench.hear();
    assert_eq!((bench.model.is_paused, bench.model.happenings.len()), (true, 1));
    obey(&mut bench.model, [Wish::Pause]);
    let names: Vec<_> = bench.model.happenings.iter().map(|it| it.name.as_deref().unwrap()).collect();
    assert_eq!(names, ["a", "b"]);
}

#[test]
fn no_more_events_are_kept_than_anybody_would_read() {
    let mut bench = labelled(&["a"]);
    let now = bench.model.now;
    (0..2 * REMEMBERED).for_each(|number| bench.model.note(number.to_string(), now));
    assert_eq!(bench.model.happenings.len(), REMEMBERED);
    assert_eq!(bench.model.happenings.back().unwrap().text, (2 * REMEMBERED - 1).to_string());
    bench.model.obey(Wish::Pause);
    (0..2 * REMEMBERED).for_each(|number| bench.model.note(number.to_string(), now));
    bench.model.obey(Wish::Pause);
    assert_eq!(bench.model.happenings.len(), REMEMBERED);
}

#[test]
fn a_key_is_named_by_its_label_or_by_what_may_be_shown_of_it() {
    let mut bench = Bench::new([KeyConfig::new("AIza-the-key-k1x"), KeyConfig::new("another-key-1").label("work")]);
    bench.call("AIza-the-key-k1x", 1, 401);
    bench.call("another-key-1", 1, 401);
    bench.hear();
    let told: Vec<_> = bench.model.happenings.iter().map(|it| (it.name.clone().unwrap(), it.text.clone())).collect();
    let disabled = "disabled: invalid_key".to_owned();
    assert_eq!(told, [("AIza…-k1x".to_owned(), disabled.clone()), ("work".to_owned(), disabled)]);
}

#[test]
fn keystrokes_that_quit_end_it_and_help_is_left_again() {
    let mut bench = labelled(&["a"]);
    obey(&mut bench.model, [Wish::Help]);
    assert_eq!(bench.model.mode, Mode::Help);
    obey(&mut bench.model, [Wish::Back]);
    assert_eq!(bench.model.mode, Mode::Table);
    type_filter(&mut bench.model, "b");
    obey(&mut bench.model, [Wish::KeepFilter, Wish::Leave]);
    assert_eq!((&*bench.model.filter, shown(&bench.model).len()), ("", 1));
    assert!(!bench.model.obey(Wish::Leave));
    assert!(!bench.model.obey(Wish::Quit));
}
