//! Which characters a key may hold. Nothing here knows of lines or weights.

/// White space as Python's `str.strip` sees it: Unicode's and the four ASCII separators.
pub(super) fn is_white(char: char) -> bool {
    char.is_whitespace() || ('\u{1C}'..='\u{1F}').contains(&char)
}

pub(super) fn trim(text: &str) -> &str {
    text.trim_matches(is_white)
}

/// A character that nobody sees and everybody compares: controls, and what
/// Unicode lets a display leave out (`Default_Ignorable_Code_Point` in `DerivedCoreProperties.txt`;
/// the byte order mark and the zero-width characters are among them), with the blank braille pattern
/// and the interlinear annotation marks.
pub(super) fn is_invisible(char: char) -> bool {
    char.is_control()
        // Nearly every key ends the search here.
        || !char.is_ascii() && matches!(char,
            '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{2800}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}'
            | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}' | '\u{1BCA0}'..='\u{1BCA3}'
            | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

/// Checks one key that is given in code. The answer follows the name of the setting in a sentence.
pub(crate) fn check_key(text: &str) -> Result<(), &'static str> {
    if text.is_empty() {
        Err("is empty; give the key's text")
    } else if text.contains(is_white) {
        Err("holds white space; trim what surrounds the key (often a line break), and give several keys one by one")
    } else if text.contains(is_invisible) {
        Err("holds a control or invisible character; copy the key again from where it was issued")
    } else {
        Ok(())
    }
}
