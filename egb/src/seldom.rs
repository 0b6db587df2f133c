//! What few keys of a large pool have, and what is therefore kept elsewhere: for the others it takes a pointer.

use std::fmt;
use std::ops::{Deref, DerefMut};

/// A value that is made by the first write to it. Until then it reads as [`Blank::BLANK`].
#[derive(Clone)]
pub(crate) struct Seldom<T>(Option<Box<T>>);

/// What a [`Seldom`] reads as that was never written.
pub(crate) trait Blank: Default + 'static {
    /// The same as the default.
    const BLANK: &'static Self;
}

impl<T: Blank> Seldom<T> {
    /// The value if there is one, for a change that would be none where it is blank.
    #[inline]
    pub(crate) fn known_mut(&mut self) -> Option<&mut T> {
        self.0.as_deref_mut()
    }
}

impl<T: Blank + PartialEq> Seldom<T> {
    /// Writes, if there is news in it.
    pub(crate) fn set(&mut self, value: T) {
        if value != **self {
            **self = value;
        }
    }
}

impl<T> Default for Seldom<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Blank + PartialEq> From<T> for Seldom<T> {
    fn from(value: T) -> Self {
        Self((value != *T::BLANK).then(|| Box::new(value)))
    }
}

impl<T: Blank> Deref for Seldom<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.0.as_deref().unwrap_or(T::BLANK)
    }
}

impl<T: Blank> DerefMut for Seldom<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.get_or_insert_default()
    }
}

impl<T: Blank + PartialEq> PartialEq for Seldom<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Blank + fmt::Debug> fmt::Debug for Seldom<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug, Default, PartialEq)]
    struct Count(u32);

    impl Blank for Count {
        const BLANK: &'static Self = &Self(0);
    }

    #[test]
    fn it_is_made_by_the_first_write_that_is_news() {
        let mut seldom = Seldom::from(Count(0));
        seldom.set(Count(0));
        assert!(seldom.known_mut().is_none() && seldom.0.is_none());
        seldom.0.get_or_insert_default();
        assert_eq!(seldom, Seldom::default());
        seldom.set(Count(2));
        seldom.0.as_mut().unwrap().0 += 1;
        assert_eq!((seldom.0.clone(), seldom), (Some(Box::new(Count(3))), Count(3).into()));
        assert_eq!(size_of::<Seldom<Count>>(), size_of::<usize>());
    }
}
