//! The colours and words of a key's state, the same in every command.

use anstyle::{AnsiColor, Style};
use comfy_table::Color;

use crate::stats::KeyState;

pub(crate) const HINT: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Cyan)));
pub(crate) const DIM: Style = Style::new().dimmed();
pub(crate) const BOLD: Style = Style::new().bold();

/// What people read.
pub(crate) fn state_words(state: KeyState) -> &'static str {
    match state {
        KeyState::Available => "available",
        KeyState::CoolingDown => "cooling down",
        KeyState::Limited { .. } => "limited",
        KeyState::Busy => "busy",
        KeyState::HalfOpen => "half-open",
        KeyState::Disabled => "disabled",
    }
}

/// What programs read.
pub(crate) fn state_name(state: KeyState) -> &'static str {
    match state {
        KeyState::Available => "available",
        KeyState::CoolingDown => "cooling_down",
        KeyState::Limited { .. } => "limited",
        KeyState::Busy => "busy",
        KeyState::HalfOpen => "half_open",
        KeyState::Disabled => "disabled",
    }
}

pub(crate) fn state_color(state: KeyState) -> Color {
    match state {
        KeyState::Available => Color::Green,
        KeyState::CoolingDown | KeyState::Limited { .. } | KeyState::Busy | KeyState::HalfOpen => Color::Yellow,
        KeyState::Disabled => Color::Red,
    }
}

pub(crate) fn health_color(factor: f64) -> Color {
    match factor {
        0.8.. => Color::Green,
        0.4..0.8 => Color::Yellow,
        _ => Color::Red,
    }
}

/// A factor from 0 to 1 as a bar of eight characters.
pub(crate) fn bar(factor: f64) -> String {
    const LENGTH: usize = 8;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 8")]
    let full = (factor.clamp(0.0, 1.0) * 8.0).round() as usize;
    format!("{}{}", "█".repeat(full), "░".repeat(LENGTH - full))
}

/// `1,234,567`.
pub(crate) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A weight: as many digits after the point as it has, and no more than two that count; in short when it is out of all
/// proportion.
pub(crate) fn weight(weight: f64) -> String {
    let text = match weight {
        0.1.. if weight <= 1e12 => format!("{weight:.2}"),
        0.000_000_1..0.1 => {
            let leading_zeros = (1..8).take_while(|places| weight * 10_f64.powi(*places) < 1.0).count();
            format!("{weight:.*}", leading_zeros + 2)
        }
        0.0 => "0".to_owned(),
        _ => return format!("{weight:.1e}"),
    };
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// `97.3 %`.
pub(crate) fn percent(part: f64) -> String {
    format!("{:.1} %", part * 100.0)
}

/// `1.2 MB`.
pub(crate) fn bytes(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
    let number = bytes as f64;
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{:.1} kB", number / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", number / 1e6),
        _ => format!("{:.1} GB", number / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_easy_to_read() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(number), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([2.0, 0.5, 1.125, 100.0, 0.001].map(weight), ["2", "0.5", "1.12", "100", "0.001"]);
        assert_eq!(
            [0.0, 0.0123, 0.000_001, 1e9, 1e308].map(weight),
            ["0", "0.012", "0.000001", "1000000000", "1.0e308"]
        );
        assert_eq!([0, 999, 1_500, 10_100_000].map(bytes), ["0 bytes", "999 bytes", "1.5 kB", "10.1 MB"]);
        assert_eq!(percent(0.9731), "97.3 %");
    }

    #[test]
    fn a_bar_is_as_long_as_the_factor() {
        assert_eq!([0.0, 0.26, 1.0, 10.0].map(bar), ["░░░░░░░░", "██░░░░░░", "████████", "████████"]);
    }
}
