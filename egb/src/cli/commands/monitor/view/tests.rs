//! Frames as files for people to read: `frames/`.
//!
//! `EGB_SNAPSHOTS=overwrite cargo test -p egb --features cli --lib monitor` writes them anew; read the difference.

use std::fs;
use std::path::Path;

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::super::model::{Scroll, Wish};
use super::super::testing::Bench;
use super::*;
use crate::config::KeyConfig;

const SIZES: [(u16, u16); 2] = [(80, 24), (200, 50)];

fn frame(model: &mut Model, (width, height): (u16, u16)) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal
        .draw(|frame| {
            model.set_page(rows(frame.area()));
            draw(frame, model);
        })
        .unwrap();
    let buffer = terminal.backend().buffer();
    let line = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned() + "\n";
    (0..height).map(line).collect()
}

/// Compares the frames with their files.
fn check(name: &str, model: &mut Model) {
    for size in SIZES {
        let actual = frame(model, size);
        let file = format!("src/cli/commands/monitor/frames/{name}_{}x{}.txt", size.0, size.1);
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        if std::env::var("EGB_SNAPSHOTS").is_ok_and(|mode| mode == "overwrite") {
            fs::write(&path, actual).unwrap();
            continue;
        }
        let expected = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            actual == expected,
            "{name} looks other than {}:\n{actual}\n(EGB_SNAPSHOTS=overwrite writes it anew)",
            path.display()
        );
    }
}

#[test]
fn no_keys() {
    check("no_keys", &mut Bench::new([]).model);
}

#[test]
#[cfg_attr(not(target_pointer_width = "64"), ignore = "their generator of random numbers picks other keys")]
fn all_states() {
    check("all_states", &mut Bench::with_all_states().model);
}

#[test]
#[cfg_attr(not(target_pointer_width = "64"), ignore = "their generator of random numbers picks other keys")]
fn sorted_reversed_and_paused() {
    let mut bench = Bench::with_all_states();
    assert!([Wish::NextSort, Wish::Reverse, Wish::Pause].into_iter().all(|wish| bench.model.obey(wish)));
    check("sorted_reversed_and_paused", &mut bench.model);
}

fn many() -> Bench {
    let config = |number: u32| KeyConfig::new(format!("AIza-the-key-{number:05}"));
    let mut bench = Bench::new((0..10_000).map(config));
    for number in 0..200_u32 {
        let status = if number.is_multiple_of(7) { 401 } else { 200 };
        bench.call(&format!("AIza-the-key-{:05}", number * 37), 1 + u64::from(number % 5), status);
    }
    bench.pass(2);
    bench
}

#[test]
fn many_keys() {
    let mut bench = many();
    frame(&mut bench.model, SIZES[0]);
    let scrolls = [Scroll::PageDown, Scroll::PageDown, Scroll::Down];
    assert!(scrolls.into_iter().all(|scroll| bench.model.obey(Wish::Scroll(scroll))));
    check("many_keys", &mut bench.model);
}

#[test]
fn a_filter_that_is_typed() {
    let mut bench = many();
    bench.model.obey(Wish::BeginFilter);
    "disabled".chars().for_each(|letter| assert!(bench.model.obey(Wish::Type(letter))));
    check("filter", &mut bench.model);
    bench.model.obey(Wish::Type('x'));
    check("filter_without_match", &mut bench.model);
}

#[test]
#[cfg_attr(not(target_pointer_width = "64"), ignore = "their generator of random numbers picks other keys")]
fn the_help() {
    let mut bench = Bench::with_all_states();
    bench.model.obey(Wish::Help);
    check("help", &mut bench.model);
}

/// Whatever size a window is pulled to.
#[test]
fn no_size_of_the_terminal_is_too_small() {
    let mut bench = Bench::with_all_states();
    bench.model.obey(Wish::Help);
    for width in (1..=8).chain([79, 130, 300]) {
        for height in (1..=8).chain([15, 16, 30, 100]) {
            frame(&mut bench.model, (width, height));
        }
    }
}

/// The frame is as wide as it says, in every row that is shown.
#[test]
fn no_column_is_cut_off_at_eighty() {
    let mut bench = Bench::with_all_states();
    let text = frame(&mut bench.model, (80, 24));
    for part in
        ["KEY", "NAME", "STATE", "HEALTH", "CALLS", "RECENT", "LAST ERROR", "cooling 4m 11s", "429 rate_limited"]
    {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
}
