//! The text of a key, in the place where it lies if it is short, and wiped with it. Says nothing of what a key looks like.

use arrayvec::ArrayString;
use zeroize::Zeroize;

/// What fits into 48 bytes beside its length and the mark of which it is. Gemini's keys have 39.
const LONGEST_IN_PLACE: usize = 40;

/// A text that is wiped from memory when it is dropped. It shows itself in no `Debug`.
///
/// To move one copies its bytes, and what is moved from is not wiped: a text is [filled in](Self::fill) where it stays.
/// What no code can promise: that nobody saves the processor's registers, through which texts are copied and compared,
/// and that the machine writes no memory to a disk.
pub(super) enum Text {
    InPlace(ArrayString<LONGEST_IN_PLACE>),
    Boxed(Box<str>),
}

impl Text {
    /// Becomes this text.
    pub(super) fn fill(&mut self, text: &str) {
        *self = Self::default();
        let Self::InPlace(place) = self else { return };
        if place.try_push_str(text).is_err() {
            *self = Self::Boxed(text.into());
        }
    }

    #[inline]
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::InPlace(text) => text,
            Self::Boxed(text) => text,
        }
    }
}

impl Default for Text {
    fn default() -> Self {
        Self::InPlace(ArrayString::new())
    }
}

impl Drop for Text {
    fn drop(&mut self) {
        match self {
            Self::InPlace(text) => text.zeroize(),
            Self::Boxed(text) => text.zeroize(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> Text {
        let mut filled = Text::default();
        filled.fill(text);
        filled
    }

    #[test]
    fn a_text_is_read_as_it_was_written_and_is_in_place_up_to_40_bytes() {
        let is_in_place = |text: &str| {
            let filled = filled(text);
            assert_eq!(filled.as_str(), text);
            matches!(filled, Text::InPlace(_))
        };
        for length in 0..=40 {
            assert!(is_in_place(&"x".repeat(length)), "{length} bytes");
        }
        for length in [41, 46, 47, 255, 256, 256 + 39, 100_000] {
            assert!(!is_in_place(&"x".repeat(length)), "{length} bytes");
        }
        // Bytes count, and not characters.
        assert!(is_in_place(&"ж".repeat(20)) && !is_in_place(&"ж".repeat(21)));
        assert!(is_in_place(&"🔑".repeat(10)) && !is_in_place(&format!("{}a", "🔑".repeat(10))));
        assert_eq!(size_of::<Text>(), 48);
    }

    #[test]
    fn the_text_that_was_there_before_is_gone() {
        let mut text = filled(&"x".repeat(40));
        for other in ["short", &"y".repeat(60), "", &"z".repeat(40)] {
            text.fill(other);
            assert_eq!(text.as_str(), other);
        }
    }
}
