//! Which keystroke asks for what.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::model::{Mode, Scroll, Wish};

/// As help shows them.
pub(super) const HELP: [(&str, &str); 9] = [
    ("s  S", "sort by the next or the previous column"),
    ("r", "reverse the order"),
    ("/", "filter: words of label, key, group, state, error"),
    ("space", "pause, and go on"),
    ("j k ↓ ↑", "scroll by a row"),
    ("PgDn PgUp", "scroll by a page"),
    ("g G Home End", "to the first row, to the last"),
    ("?  h", "this help"),
    ("q Esc Ctrl-C", "quit; Esc ends a filter first"),
];

pub(super) fn wish(mode: Mode, key: KeyEvent) -> Option<Wish> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
    if is_control && key.code == KeyCode::Char('c') {
        return Some(Wish::Quit);
    }
    if let Some(scroll) = scroll(key.code) {
        return Some(Wish::Scroll(scroll));
    }
    match mode {
        Mode::Filtering => filtering(key.code, is_control),
        _ if is_control => None,
        Mode::Help => help(key.code),
        Mode::Table => table(key.code),
    }
}

fn scroll(code: KeyCode) -> Option<Scroll> {
    Some(match code {
        KeyCode::Up => Scroll::Up,
        KeyCode::Down => Scroll::Down,
        KeyCode::PageUp => Scroll::PageUp,
        KeyCode::PageDown => Scroll::PageDown,
        KeyCode::Home => Scroll::Top,
        KeyCode::End => Scroll::Bottom,
        _ => return None,
    })
}

fn table(code: KeyCode) -> Option<Wish> {
    Some(match code {
        KeyCode::Char('q') => Wish::Quit,
        KeyCode::Esc => Wish::Leave,
        KeyCode::Char(' ' | 'p') => Wish::Pause,
        KeyCode::Char('?' | 'h') => Wish::Help,
        KeyCode::Char('s') => Wish::NextSort,
        KeyCode::Char('S') => Wish::PreviousSort,
        KeyCode::Char('r') => Wish::Reverse,
        KeyCode::Char('/') => Wish::BeginFilter,
        KeyCode::Char('j') => Wish::Scroll(Scroll::Down),
        KeyCode::Char('k') => Wish::Scroll(Scroll::Up),
        KeyCode::Char('g') => Wish::Scroll(Scroll::Top),
        KeyCode::Char('G') => Wish::Scroll(Scroll::Bottom),
        _ => return None,
    })
}

fn filtering(code: KeyCode, is_control: bool) -> Option<Wish> {
    match code {
        KeyCode::Esc => Some(Wish::ClearFilter),
        KeyCode::Enter => Some(Wish::KeepFilter),
        KeyCode::Backspace => Some(Wish::Erase),
        KeyCode::Char(letter) if !is_control => Some(Wish::Type(letter)),
        _ => None,
    }
}

fn help(code: KeyCode) -> Option<Wish> {
    match code {
        KeyCode::Char('q') => Some(Wish::Quit),
        KeyCode::Esc | KeyCode::Enter | KeyCode::Char('?' | 'h' | ' ') => Some(Wish::Back),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(mode: Mode, code: KeyCode) -> Option<Wish> {
        wish(mode, KeyEvent::from(code))
    }

    #[test]
    fn what_a_key_asks_for_depends_on_the_mode() {
        let [table, filtering, help] = [Mode::Table, Mode::Filtering, Mode::Help];
        assert_eq!(asks(table, KeyCode::Char('q')), Some(Wish::Quit));
        assert_eq!(asks(filtering, KeyCode::Char('q')), Some(Wish::Type('q')));
        assert_eq!(asks(help, KeyCode::Char('q')), Some(Wish::Quit));
        assert_eq!(
            [table, filtering, help].map(|mode| asks(mode, KeyCode::Esc)),
            [Some(Wish::Leave), Some(Wish::ClearFilter), Some(Wish::Back)]
        );
        assert_eq!(asks(filtering, KeyCode::PageDown), Some(Wish::Scroll(Scroll::PageDown)));
        assert_eq!(asks(table, KeyCode::Char('x')), None);
    }

    #[test]
    fn control_c_quits_always_and_a_key_that_is_let_go_asks_for_nothing() {
        let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        for mode in [Mode::Table, Mode::Filtering, Mode::Help] {
            assert_eq!(wish(mode, control_c), Some(Wish::Quit));
        }
        let control_s = KeyEvent::new(KeyCode::Char('s'), KeyModifiers::CONTROL);
        assert_eq!(wish(Mode::Table, control_s), None);
        assert_eq!(wish(Mode::Filtering, control_s), None);
        let mut released = KeyEvent::from(KeyCode::Char('q'));
        released.kind = KeyEventKind::Release;
        assert_eq!(wish(Mode::Table, released), None);
    }
}
