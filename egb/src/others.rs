//! Calls code that is not egb's: wakers, and what listens to `tracing`. Never under a lock of egb's, for it may call the
//! balancer; and where it panics that is its caller's business, and nobody else's.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Calls `call` with each of `items`. If some of these calls panic, the first of the panics goes on once all are over.
pub(crate) fn call_each<T>(items: impl IntoIterator<Item = T>, mut call: impl FnMut(T)) {
    let mut panic = None;
    for item in items {
        if let Err(another) = catch_unwind(AssertUnwindSafe(|| call(item))) {
            panic.get_or_insert(another);
        }
    }
    if let Some(panic) = panic {
        resume_unwind(panic);
    }
}

/// What `work` returns; `None` if it panicked, which ends here. For threads of egb's own, which have to go on: the code
/// of others that panics has left its own data in disorder at most.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_panics_keeps_no_other_from_being_called_and_is_heard_of() {
        let mut called = Vec::new();
        let panic = catch_unwind(AssertUnwindSafe(|| {
            call_each(0..4, |item| {
                called.push(item);
                assert!(item != 1 && item != 2, "{item}");
            });
        }));
        assert_eq!(called, [0, 1, 2, 3]);
        assert_eq!(panic.unwrap_err().downcast_ref::<String>().map(String::as_str), Some("1"), "the first");
        assert_eq!((caught(|| 1), caught(|| -> u8 { panic!("as asked") })), (Some(1), None));
    }
}
