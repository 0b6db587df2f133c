//! Empty: the package holds the tests in `tests/ui.rs`, which compile the files of `pass/` and `fail/`.
